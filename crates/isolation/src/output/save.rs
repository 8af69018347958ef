//! Scripts to see a leak for oneself, and the repairs in one file. Nothing here is run by us: a repair is a decision.

use std::{collections::BTreeSet, fmt::Write as _, fs, io, io::Read as _, path::Path};

use crate::{finding::Finding, report::Report};

use super::{Options, OutputError, file, markdown, standing, text};

/// Begins every script of ours, by which those of a run before are known and removed.
const MARK: &str = "-- Tenant isolation: ";

/// Writes a directory of scripts; those of a run before are removed from it.
pub(crate) fn write(report: &Report, options: &Options, directory: &Path) -> Result<(), OutputError> {
    let failed = |source| OutputError::Write { path: directory.display().to_string(), source };
    fs::create_dir_all(directory).map_err(failed)?;
    sweep(directory).map_err(failed)?;
    let mut taken = BTreeSet::new();
    let mut index = Vec::new();
    for finding in report.findings.iter().filter(|finding| !finding.reproduce.is_empty()) {
        let name = name(finding, &mut taken);
        file::write(&directory.join(&name), &script(finding))?;
        index.push((name, finding));
    }
    file::write(&directory.join("fixes.sql"), &fixes(report))?;
    file::write(&directory.join("README.md"), &readme(&index, options))
}

fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        let script = path.extension().is_some_and(|extension| extension == "sql");
        if script && entry.file_type()?.is_file() {
            let mut begin = Vec::new();
            fs::File::open(&path)?.take(MARK.len() as u64).read_to_end(&mut begin)?;
            if begin == MARK.as_bytes() {
                fs::remove_file(&path)?;
            }
        }
    }
    Ok(())
}

/// Makes a file's name of letters, digits, `.`, `_` and `-`, whatever the object is called.
fn name(finding: &Finding, taken: &mut BTreeSet<String>) -> String {
    let part = |text: &str, most: usize| -> String {
        let safe = |character: char| {
            if character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-') {
                character
            } else {
                '_'
            }
        };
        text.chars().map(safe).take(most).collect()
    };
    let stem = format!("{}-{}-{}", part(&finding.id, 40), part(&finding.rule, 40), part(&finding.object, 80));
    let stem = stem.trim_start_matches(['.', '-']);
    let mut name = format!("{stem}.sql");
    let mut number = 2;
    // Some file systems do not tell capitals from small letters.
    while !taken.insert(name.to_lowercase()) {
        name = format!("{stem}-{number}.sql");
        number += 1;
    }
    name
}

fn heading(finding: &Finding) -> String {
    let mut about =
        format!("{} {}, {}", standing::word(finding), text::line(&finding.rule), text::line(&finding.object));
    let circumstances = standing::circumstances(finding);
    if !circumstances.is_empty() {
        let _ = write!(about, ", {circumstances}");
    }
    format!("{about} ({})", text::line(&finding.id))
}

fn script(finding: &Finding) -> String {
    let evidence = text::comment(&finding.evidence);
    let reproduce = finding.reproduce.trim_end();
    format!("{MARK}{}\n{evidence}\n{reproduce}\n", heading(finding))
}

/// Writes each repair once, under the findings that it ends, so that all run behind one another; those of accepted
/// findings stand as comments.
pub fn fixes(report: &Report) -> String {
    let mut written = format!(
        "{MARK}repairs\n-- Read each before you run it, and try it on a copy. Nothing here has been applied.\n"
    );
    let mut done: BTreeSet<(&str, bool)> = BTreeSet::new();
    let mut written_before: BTreeSet<String> = BTreeSet::new();
    for finding in &report.findings {
        let fix = finding.fix.trim();
        let accepted = finding.accepted.is_some();
        if fix.is_empty() || !done.insert((fix, accepted)) {
            continue;
        }
        written.push('\n');
        let alike = |other: &&Finding| other.fix.trim() == fix && other.accepted.is_some() == accepted;
        for finding in report.findings.iter().filter(alike) {
            let _ = writeln!(written, "-- {}", heading(finding));
            if let Some(accepted) = standing::acceptance(finding) {
                let _ = writeln!(written, "-- {}", text::line(&accepted));
            }
        }
        if accepted {
            written.push_str(&text::comment(fix));
        } else {
            let end = if fix.ends_with(';')
                || fix.lines().last().is_some_and(|line| line.trim_start().starts_with("--"))
            {
                ""
            } else {
                ";"
            };
            for line in without_known(&format!("{fix}{end}"), &mut written_before) {
                let _ = writeln!(written, "{line}");
            }
        }
    }
    written
}

/// Leaves out statements of one line that stand further up already: two repairs may begin alike.
fn without_known(fix: &str, known: &mut BTreeSet<String>) -> Vec<String> {
    let mut begins = true;
    let mut lines = Vec::new();
    for line in fix.lines() {
        let comment = line.trim_start().starts_with("--");
        let whole = begins && !comment && line.trim_end().ends_with(';');
        begins = comment || line.trim().is_empty() || line.trim_end().ends_with(';');
        if whole && !known.insert(line.to_owned()) {
            continue;
        }
        lines.push(line.to_owned());
    }
    lines
}

fn readme(index: &[(String, &Finding)], options: &Options) -> String {
    let mut page = format!(
        "# Tenant isolation: {}\n\n\
         `fixes.sql` holds the repairs, each under what it ends. Read them and try them on a copy first; nothing has been \
         applied.\n",
        options.mode.word()
    );
    if index.is_empty() {
        page.push_str("\nNo leak was shown, so there is no script to show one.\n");
        return page;
    }
    page.push_str(
        "\nEach of the other files shows one leak now and no longer after its repair. Run it on a copy of the database, \
         with psql:\n\n```\npsql \"$DATABASE_URL\" -X -f FILE\n```\n\n| File | Rule | Object |\n|---|---|---|\n",
    );
    for (name, finding) in index {
        let (rule, object) = (markdown::code(&finding.rule), markdown::code(&finding.object));
        let _ = writeln!(page, "| [`{name}`]({name}) | {rule} | {object} |");
    }
    let _ = write!(page, "\n`{} explain RULE` says why a rule matters.\n", options.program);
    page
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules;

    proptest! {
        #[test]
        fn a_name_is_safe_whatever_the_object_is_called(object in any::<String>()) {
            let mut taken = BTreeSet::new();
            let finding = Finding::new(&rules::READS, object, None, "");
            let names = [name(&finding, &mut taken), name(&finding, &mut taken)];
            prop_assert_ne!(&names[0], &names[1]);
            for name in names {
                prop_assert!(name.len() < 200);
                prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{name}");
                prop_assert!(!name.starts_with(['.', '-']));
            }
        }
    }
}
