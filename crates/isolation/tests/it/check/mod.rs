//! `check`: every rule by the examples of its page, designs that are right, our own database, a large one.

mod broken;
mod correct;
mod large;
mod own;
mod pages;
mod support;
