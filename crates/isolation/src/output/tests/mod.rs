//! The output as a whole: what each format looks like for a report full of hostile names, what fails, and what is
//! written where.

mod files;
mod formats;
mod judging;
