//! Office Open XML text: a zip of XML parts, of which the main one and its styles are read.

mod package;
mod story;
mod styles;

use package::Package;
pub(crate) use package::{check as check_archive, is_archive};
use story::Story;
use styles::Styles;

use super::xml::{self, Budget};
use crate::{Document, ExtractError, Limits, Warning, document::Builder};

/// Reads the body of a document; notes, comments, headers and footers are not part of it.
pub(crate) fn extract(bytes: &[u8], limits: &Limits) -> Result<Document, ExtractError> {
    if super::is_ole(bytes) {
        return Err(super::ole_refusal(bytes));
    }
    let mut package = Package::open(bytes, limits)?;
    let mut budget = Budget::new(limits);
    let main = package.main_part(limits, &mut budget)?;
    let mut styles = Styles::default();
    if let Some(part) = package.styles_part(&main, limits, &mut budget)? {
        let mut reading = styles::Reading::default();
        xml::read(package.open_part(&part, &budget)?, limits, &mut budget, |item| reading.visit(&item))?;
        styles = reading.finish();
    }
    let mut story = Story::new(&styles, Builder::new(limits), limits);
    xml::read(package.open_part(&main, &budget)?, limits, &mut budget, |item| story.visit(&item))?;
    let (mut builder, embedded) = story.finish()?;
    builder.join_printed_lines();
    if embedded > 0 {
        builder.warn(Warning::EmbeddedDocumentSkipped { count: embedded });
    }
    builder.finish()
}
