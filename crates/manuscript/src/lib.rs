//! Turns an uploaded file into text and text into numbers about it.
//!
//! Writers send files that other people's programs made, and now and then files made to do harm, so this crate is
//! kept apart from everything that could be harmed: bytes come in, values go out. It reads no file, opens no
//! connection, does not panic, takes time in proportion to the input and holds to the [`Limits`] it is given.
//!
//! [`Format::detect`] names the format by content, [`extract`] makes a [`Document`] of it and [`analyse`] counts.
//! Each format is one module of `formats`.

mod analysis;
mod chapters;
mod document;
mod error;
mod format;
mod formats;
mod limits;
mod sentences;
mod words;

pub use analysis::{Analysis, Chapter, Progress, analyse, analyse_with};
pub use document::{Block, Document, Kind, Warning};
pub use error::ExtractError;
pub use format::{Format, extract};
pub use limits::Limits;
pub use words::{count_words, words};
