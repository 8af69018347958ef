//! The object store over real HTTP, with clients that nobody here wrote where one can ask what is needed.

// Tells clippy, too, that all of this is a test.
#![cfg(test)]

mod attacks;
mod browser;
mod damage;
mod fixture;
mod listing;
mod reading;
mod signing;
mod trace;
mod writing;
