//! The rules' pages as HTML: as much of Markdown as they use, which are headings, paragraphs, lists and code.

use std::fmt::Write as _;

use super::Safe;

/// Writes a page below its title, which stands elsewhere already.
pub(super) fn write(html: &mut String, markdown: &str) {
    let mut open = Open::default();
    let mut code: Option<(String, String)> = None;
    for line in markdown.lines() {
        if let Some((fence, text)) = &mut code {
            if line.trim_end() == fence {
                let _ = writeln!(html, "<pre>{}</pre>", Safe(text.trim_end()));
                code = None;
            } else {
                text.push_str(line);
                text.push('\n');
            }
            continue;
        }
        let trimmed = line.trim();
        let item = trimmed.strip_prefix("- ").or_else(|| trimmed.strip_prefix("* "));
        if trimmed.starts_with("```") {
            open.close(html);
            let ticks = trimmed.len() - trimmed.trim_start_matches('`').len();
            code = Some(("`".repeat(ticks), String::new()));
        } else if trimmed.is_empty() {
            open.close_paragraph(html);
        } else if trimmed.starts_with("# ") {
            open.close(html);
        } else if trimmed.starts_with("##") {
            open.close(html);
            let _ = writeln!(html, "<h4>{}</h4>", spans(trimmed.trim_start_matches('#').trim()));
        } else if let Some(item) = item {
            open.item(html);
            html.push_str(&spans(item));
        } else {
            open.text(html, line.starts_with(' '));
            html.push_str(&spans(trimmed));
        }
    }
    open.close(html);
    if let Some((_, text)) = code {
        let _ = writeln!(html, "<pre>{}</pre>", Safe(text.trim_end()));
    }
}

/// What has been begun and not ended.
#[derive(Default)]
struct Open {
    paragraph: bool,
    list: bool,
}

impl Open {
    fn item(&mut self, html: &mut String) {
        if self.list {
            html.push_str("</li>\n<li>");
        } else {
            self.close_paragraph(html);
            html.push_str("<ul class=\"plain\">\n<li>");
            self.list = true;
        }
    }

    /// Goes on with an item or paragraph, or begins a paragraph.
    fn text(&mut self, html: &mut String, indented: bool) {
        if self.paragraph || (self.list && indented) {
            html.push('\n');
        } else {
            self.close(html);
            html.push_str("<p>");
            self.paragraph = true;
        }
    }

    fn close_paragraph(&mut self, html: &mut String) {
        if self.paragraph {
            html.push_str("</p>\n");
            self.paragraph = false;
        }
    }

    fn close(&mut self, html: &mut String) {
        self.close_paragraph(html);
        if self.list {
            html.push_str("</li>\n</ul>\n");
            self.list = false;
        }
    }
}

/// Writes a line with its code and its stress.
fn spans(line: &str) -> String {
    let mut html = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['`', '*']) {
        let mark = ["**", "*", "`"].into_iter().find(|mark| rest[at..].starts_with(mark)).unwrap_or("`");
        let inner = at + mark.len();
        let end = rest[inner..].find(mark).filter(|end| *end > 0).map(|end| inner + end);
        let Some(end) = end else {
            let _ = write!(html, "{}", Safe(&rest[..inner]));
            rest = &rest[inner..];
            continue;
        };
        let tag = match mark {
            "`" => "code",
            "**" => "strong",
            _ => "em",
        };
        let _ = write!(html, "{}<{tag}>{}</{tag}>", Safe(&rest[..at]), Safe(&rest[inner..end]));
        rest = &rest[end + mark.len()..];
    }
    let _ = write!(html, "{}", Safe(rest));
    html
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::{Reader, events::Event};

    use super::*;

    fn well_formed(html: &str) -> bool {
        let whole = format!("<div>{html}</div>");
        let mut reader = Reader::from_str(&whole);
        loop {
            match reader.read_event() {
                Ok(Event::Eof) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    proptest! {
        #[test]
        fn any_page_is_well_formed(page in "([ a<&`*#-]{0,12}\n){0,12}") {
            let mut html = String::new();
            write(&mut html, &page);
            prop_assert!(well_formed(&html), "{html}");
        }
    }

    #[test]
    fn pages_become_html() {
        let mut html = String::new();
        write(
            &mut html,
            "# Title\n\nOne `a<b` and\n**two**.\n\n- first\n  goes on\n- 2 * 3\n\n## Bad\n\n```sql\nselect '<';\n```\n",
        );
        insta::assert_snapshot!(html, @r#"
        <p>One <code>a&lt;b</code> and
        <strong>two</strong>.</p>
        <ul class="plain">
        <li>first
        goes on</li>
        <li>2 * 3</li>
        </ul>
        <h4>Bad</h4>
        <pre>select &#39;&lt;&#39;;</pre>
        "#);
    }
}
