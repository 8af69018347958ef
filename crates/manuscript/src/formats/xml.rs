//! A reader of XML that a hostile file cannot make large, deep or curious.

use std::{
    io::{self, BufRead, BufReader, Read},
    sync::Arc,
};

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

use crate::{ExtractError, Limits};

/// Counts what a file may still unpack to, over all parts read from it.
#[derive(Debug)]
pub(crate) struct Budget(u64);

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self(limits.unpacked_bytes)
    }

    /// Says whether so many bytes are left, before any is unpacked.
    pub(crate) fn covers(&self, bytes: u64) -> bool {
        bytes <= self.0
    }
}

/// What stopped a read, carried through `io::Error`.
#[derive(Debug, thiserror::Error)]
#[error("the limit is used up")]
struct OverBudget;

/// Charges every byte to the budget and to the token being read.
struct Metered<'b, R> {
    inner: R,
    budget: &'b mut Budget,
    token: u64,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        let left = self.budget.0.checked_sub(read as u64).ok_or_else(|| io::Error::other(OverBudget))?;
        self.budget.0 = left;
        Ok(read)
    }
}

/// Charges consumed bytes to the token, so that no single event grows without bound.
struct Tokens<'b, R> {
    inner: BufReader<Metered<'b, R>>,
}

impl<R: Read> Read for Tokens<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buf)
    }
}

impl<R: Read> BufRead for Tokens<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = self.inner.get_ref().token;
        if left == 0 {
            return Err(io::Error::other(OverBudget));
        }
        let available = self.inner.fill_buf()?;
        let length = available.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        Ok(available.get(..length).unwrap_or(available))
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
        let token = &mut self.inner.get_mut().token;
        *token = token.saturating_sub(amount as u64);
    }
}

/// What a part consists of, as far as text is concerned.
pub(crate) enum Item<'a> {
    /// An element starts; an empty one is followed by its end.
    Start(BytesStart<'a>),
    /// The innermost open element ends.
    End,
    /// A piece of character data, references resolved.
    Text(&'a str),
}

/// Reads a part to its end, handing each item to `visit`.
///
/// A document type is refused, an entity that XML itself does not define too, and so is a part that ends early.
pub(crate) fn read<R: Read>(
    part: R,
    limits: &Limits,
    budget: &mut Budget,
    mut visit: impl FnMut(Item<'_>) -> Result<(), ExtractError>,
) -> Result<(), ExtractError> {
    let metered = Metered { inner: part, budget, token: limits.token_bytes };
    let mut reader = Reader::from_reader(Tokens { inner: BufReader::with_capacity(32 << 10, metered) });
    let mut buffer = Vec::new();
    let mut depth = 0_usize;
    let mut seen_root = false;
    loop {
        buffer.clear();
        reader.get_mut().inner.get_mut().token = limits.token_bytes;
        let event = reader.read_event_into(&mut buffer).map_err(|error| refusal(&error))?;
        match event {
            Event::Start(start) => {
                if depth == 0 && seen_root {
                    return Err(ExtractError::Corrupt);
                }
                seen_root = true;
                depth += 1;
                // The reader keeps the names of all open elements.
                if start.name().as_ref().len() > NAME_BYTES {
                    return Err(ExtractError::Corrupt);
                }
                if depth > limits.depth {
                    return Err(ExtractError::NestedTooDeep);
                }
                visit(Item::Start(start))?;
            }
            Event::Empty(start) => {
                if depth == 0 && seen_root {
                    return Err(ExtractError::Corrupt);
                }
                seen_root = true;
                visit(Item::Start(start))?;
                visit(Item::End)?;
            }
            Event::End(_) => {
                depth = depth.checked_sub(1).ok_or(ExtractError::Corrupt)?;
                visit(Item::End)?;
            }
            Event::Text(text) if depth > 0 => visit(Item::Text(&text.xml10_content()))?,
            Event::CData(text) if depth > 0 => visit(Item::Text(&text.xml10_content()))?,
            Event::GeneralRef(reference) => {
                let mut utf8 = [0; 4];
                let resolved = reference.resolve_char_ref().map_err(|error| refusal(&error))?;
                let text = match resolved {
                    Some(c) => c.encode_utf8(&mut utf8),
                    None => predefined(&reference).ok_or(ExtractError::ForbiddenXml)?,
                };
                visit(Item::Text(text))?;
            }
            Event::DocType(_) => return Err(ExtractError::ForbiddenXml),
            Event::Eof => break,
            _ => {}
        }
    }
    if depth == 0 && seen_root { Ok(()) } else { Err(ExtractError::Corrupt) }
}

fn predefined(name: &str) -> Option<&'static str> {
    quick_xml::escape::resolve_xml_entity(name)
}

/// Most bytes of an element's name and of an attribute's value that is asked for.
const NAME_BYTES: usize = 4096;

/// Reads an attribute by its local name, without its prefix; an overlong value counts as none.
pub(crate) fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = element
        .attributes()
        .with_checks(false)
        .filter_map(Result::ok)
        .find(|attribute| attribute.key.local_name().as_ref() == name)
        .filter(|attribute| attribute.value.len() <= NAME_BYTES)?;
    let value = found.normalized_value(XmlVersion::Implicit1_0).ok()?;
    Some(value.into_owned())
}

/// Tells an exhausted limit from a damaged part.
fn refusal(error: &quick_xml::Error) -> ExtractError {
    match error {
        quick_xml::Error::Io(error) if is_over_budget(error) => ExtractError::TooLarge,
        _ => ExtractError::Corrupt,
    }
}

fn is_over_budget(error: &Arc<io::Error>) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<OverBudget>()).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text_of(xml: &[u8], limits: &Limits) -> Result<String, ExtractError> {
        let mut text = String::new();
        read(xml, limits, &mut Budget::new(limits), |item| {
            if let Item::Text(piece) = item {
                text.push_str(piece);
            }
            Ok(())
        })?;
        Ok(text)
    }

    #[test]
    fn references_and_cdata_become_text_and_nothing_else_does() {
        let xml = "<?xml version='1.0'?><!-- c --><a>x &amp; &#233;&#x2014;<b y='&lt;'/><![CDATA[<z>]]></a>";
        assert_eq!(text_of(xml.as_bytes(), &Limits::default()).unwrap(), "x & é—<z>");
    }

    #[test]
    fn what_xml_forbids_or_leaves_open_is_refused() {
        let small = Limits { depth: 3, unpacked_bytes: 4096, token_bytes: 256, ..Limits::default() };
        let long_token = format!("<a>{}</a>", "x".repeat(300));
        let long_whole = format!("<a>{}</a>", "<b/>".repeat(2000));
        for (xml, error) in [
            ("<!DOCTYPE a><a/>", ExtractError::ForbiddenXml),
            ("<a>&unknown;</a>", ExtractError::ForbiddenXml),
            ("<a><b>", ExtractError::Corrupt),
            ("<a></b>", ExtractError::Corrupt),
            ("</a>", ExtractError::Corrupt),
            ("<a/><a/>", ExtractError::Corrupt),
            ("", ExtractError::Corrupt),
            ("<a>&#0;</a>", ExtractError::Corrupt),
            ("<a><a><a><a/></a></a></a>", ExtractError::NestedTooDeep),
            (&long_token, ExtractError::TooLarge),
            (&long_whole, ExtractError::TooLarge),
        ] {
            if xml == "<a><a><a><a/></a></a></a>" {
                // The limit holds for elements with content; an empty one opens nothing.
                assert!(text_of(xml.as_bytes(), &small).is_ok());
                assert_eq!(text_of(b"<a><a><a><a>x</a></a></a></a>", &small), Err(error));
            } else {
                assert_eq!(text_of(xml.as_bytes(), &small), Err(error), "{xml:.40}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_a_value(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = text_of(&bytes, &Limits::default());
        }

        #[test]
        fn any_tags_end_in_a_value(xml in "(<[a-c/!?&;= '\"\\[\\]-]{0,6}>?|[x&;#0-9]{0,4}){0,40}") {
            let _ = text_of(xml.as_bytes(), &Limits::default());
        }
    }
}
