//! Object keys, made by the server from typed parts only: whatever a file is called, its key stays within its
//! tenant's prefix and is plain ASCII that no store, proxy or file system reads differently.

use std::{fmt, str::FromStr};

use novelfoundry_core::{ProjectId, RevisionId, TenantId, UserId};

const MAX_SLUG_BYTES: usize = 60;
const OTHER_EXTENSION: &str = "bin";
const EXTENSIONS: [&str; 4] = ["txt", "md", "docx", OTHER_EXTENSION];

/// What kind of file an object is; a folder of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileType {
    /// A manuscript as its writer uploaded it.
    Manuscript,
}

impl FileType {
    const ALL: [Self; 1] = [Self::Manuscript];

    /// Returns the name that stands in keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manuscript => "manuscripts",
        }
    }
}

/// Names an object: `{tenant_id}/{user_id}/{project_id}/{file-type}/{revision_id}-{slug}.{ext}`.
///
/// At most 1,024 bytes of lower-case ASCII letters, digits, `-`, `.` and the four `/`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    tenant_id: TenantId,
    user_id: UserId,
    project_id: ProjectId,
    file_type: FileType,
    revision_id: RevisionId,
    text: String,
}

/// Says that a text is not an object key in its one canonical form; the text is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an object key in canonical form")]
pub struct KeyError;

impl ObjectKey {
    /// Makes the key of a revision's file; of `filename`, which may be anything, a readable rest is kept.
    pub fn new(
        tenant_id: TenantId,
        user_id: UserId,
        project_id: ProjectId,
        file_type: FileType,
        revision_id: RevisionId,
        filename: &str,
    ) -> Self {
        let (slug, extension) = slug_and_extension(filename);
        let folder = file_type.as_str();
        let prefix = tenant_prefix(tenant_id);
        let text = format!("{prefix}{user_id}/{project_id}/{folder}/{revision_id}-{slug}.{extension}");
        Self { tenant_id, user_id, project_id, file_type, revision_id, text }
    }

    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the workspace the object belongs to.
    pub const fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// Returns the person who uploaded it.
    pub const fn user_id(&self) -> UserId {
        self.user_id
    }

    /// Returns the project it belongs to.
    pub const fn project_id(&self) -> ProjectId {
        self.project_id
    }

    /// Returns what kind of file it is.
    pub const fn file_type(&self) -> FileType {
        self.file_type
    }

    /// Returns the revision whose file it is.
    pub const fn revision_id(&self) -> RevisionId {
        self.revision_id
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectKey({})", self.text)
    }
}

impl FromStr for ObjectKey {
    type Err = KeyError;

    /// Takes a key apart and builds it anew: only what comes out the same is a key.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(5, '/');
        let mut part = || parts.next().ok_or(KeyError);
        let (tenant, user, project, folder, file) = (part()?, part()?, part()?, part()?, part()?);
        let (revision, rest) = file.split_at_checked(36).ok_or(KeyError)?;
        let key = Self::new(
            tenant.parse().map_err(|_| KeyError)?,
            user.parse().map_err(|_| KeyError)?,
            project.parse().map_err(|_| KeyError)?,
            FileType::ALL.into_iter().find(|kind| kind.as_str() == folder).ok_or(KeyError)?,
            revision.parse().map_err(|_| KeyError)?,
            rest.strip_prefix('-').ok_or(KeyError)?,
        );
        if key.text == text { Ok(key) } else { Err(KeyError) }
    }
}

/// Returns what every key of the tenant begins with and no other tenant's does; it ends with `/`.
pub fn tenant_prefix(tenant_id: TenantId) -> String {
    format!("{tenant_id}/")
}

fn slug_and_extension(filename: &str) -> (String, &'static str) {
    let known = filename.rsplit_once('.').and_then(|(stem, ending)| {
        let extension = EXTENSIONS.into_iter().find(|known| ending.eq_ignore_ascii_case(known))?;
        Some((stem, extension))
    });
    let (stem, extension) = known.unwrap_or((filename, OTHER_EXTENSION));

    let mut slug = String::with_capacity(MAX_SLUG_BYTES);
    for character in stem.chars() {
        if slug.len() == MAX_SLUG_BYTES {
            break;
        }
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.is_empty() {
        slug.push_str("file");
    }
    (slug, extension)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn id() -> impl Strategy<Value = Uuid> {
        any::<u128>().prop_map(Uuid::from_u128)
    }

    /// Names of every plane, and the shapes that have led software out of its folder before.
    fn filename() -> impl Strategy<Value = String> {
        let hostile = prop::sample::select(vec![
            "",
            ".",
            "..",
            "/",
            "//",
            "../",
            "..\\",
            "%2e%2e",
            "%2f",
            "\\",
            "\0",
            "\u{202e}",
            "\u{200b}",
            "\r\n",
            "?",
            "#",
            "&",
            ":",
            "CON",
            "aux.txt",
            "com1",
            ".docx",
            ".TXT",
            ".md",
            ".tar.gz",
            "-",
            "--",
            " ",
            "é",
            "İ",
            "ſ",
            "\u{212a}",
            "\u{ff0f}",
            "\u{2215}",
            "\u{1f4d6}",
            "\u{10ffff}",
            "\u{feff}",
        ]);
        let piece = prop_oneof![3 => hostile.prop_map(String::from), 2 => ".{0,20}", 1 => "[a-z0-9.-]{0,30}"];
        prop_oneof![
            8 => prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()),
            1 => (any::<char>(), 0..4096_usize).prop_map(|(c, n)| c.to_string().repeat(n)),
        ]
    }

    fn key(ids: [Uuid; 4], filename: &str) -> ObjectKey {
        ObjectKey::new(
            TenantId::from_uuid(ids[0]),
            UserId::from_uuid(ids[1]),
            ProjectId::from_uuid(ids[2]),
            FileType::Manuscript,
            RevisionId::from_uuid(ids[3]),
            filename,
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn no_filename_leads_out_of_the_tenant_s_prefix(ids in [id(), id(), id(), id()], name in filename()) {
            let key = key(ids, &name);
            let text = key.as_str();
            let prefix = tenant_prefix(key.tenant_id());
            prop_assert!(prefix.ends_with('/'));
            prop_assert!(text.starts_with(&prefix));
            prop_assert!(text.len() <= 1024);
            prop_assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-./".contains(&b)));
            let parts: Vec<_> = text.split('/').collect();
            prop_assert_eq!(parts.len(), 5);
            prop_assert!(parts.iter().all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with('.')));
            prop_assert!(!text.contains(".."));
            prop_assert_eq!(parts[3], "manuscripts");
            // A URL parser, which folds dot segments away, sees the same path.
            let url = url::Url::parse("http://s/b/").unwrap().join(text).unwrap();
            prop_assert_eq!(url.path(), format!("/b/{text}"));
        }

        #[test]
        fn a_key_reads_back_as_itself(ids in [id(), id(), id(), id()], name in filename()) {
            let key = key(ids, &name);
            let read: ObjectKey = key.to_string().parse().unwrap();
            prop_assert_eq!(&read, &key);
            prop_assert_eq!(read.tenant_id().as_uuid(), ids[0]);
            prop_assert_eq!(read.user_id().as_uuid(), ids[1]);
            prop_assert_eq!(read.project_id().as_uuid(), ids[2]);
            prop_assert_eq!(read.revision_id().as_uuid(), ids[3]);
            prop_assert_eq!(read.file_type(), FileType::Manuscript);
        }

        #[test]
        fn one_tenant_s_prefix_is_never_another_s(ids in [id(), id(), id(), id()], other in id(), name in filename()) {
            prop_assume!(other != ids[0]);
            prop_assert!(!key(ids, &name).as_str().starts_with(&tenant_prefix(TenantId::from_uuid(other))));
        }

        #[test]
        fn a_text_that_is_read_is_written_the_same(
            ids in [id(), id(), id(), id()], name in filename(), at in any::<prop::sample::Index>(), with in ".{0,3}",
        ) {
            let mut text = key(ids, &name).to_string();
            let at = at.index(text.len());
            text.replace_range(at..=at, &with);
            if let Ok(read) = text.parse::<ObjectKey>() {
                prop_assert_eq!(read.to_string(), text);
            }
            if let Ok(read) = name.parse::<ObjectKey>() {
                prop_assert_eq!(read.to_string(), name);
            }
        }
    }

    const ID: &str = "0190b3f8-1c2d-7a3b-8c4d-5e6f70819293";

    #[test]
    fn names_keep_what_is_readable() {
        let sixty = "a".repeat(60);
        for (name, rest) in [
            ("My Novel (final).DOCX", "my-novel-final.docx"),
            ("chapter.one.md", "chapter-one.md"),
            ("notes.tar.gz", "notes-tar-gz.bin"),
            ("../../etc/passwd", "etc-passwd.bin"),
            ("C:\\Users\\ada\\novel.txt", "c-users-ada-novel.txt"),
            ("Война и мир.docx", "file.docx"),
            ("Émile.txt", "mile.txt"),
            ("CON", "con.bin"),
            ("", "file.bin"),
            (".txt", "file.txt"),
            ("...", "file.bin"),
            ("page.html", "page-html.bin"),
            ("x.bin", "x.bin"),
            (&format!("{sixty}bc.txt"), &format!("{sixty}.txt")),
            (&format!("{}-b.txt", &sixty[1..]), &format!("{}.txt", &sixty[1..])),
        ] {
            let id = ID.parse().unwrap();
            let key = key([id; 4], name);
            assert_eq!(key.as_str(), format!("{ID}/{ID}/{ID}/manuscripts/{ID}-{rest}"), "{name}");
        }
    }

    #[test]
    fn other_spellings_of_a_key_are_refused() {
        let good = format!("{ID}/{ID}/{ID}/manuscripts/{ID}-novel.docx");
        assert!(good.parse::<ObjectKey>().is_ok());
        for bad in [
            String::new(),
            format!("/{good}"),
            format!("{good}/"),
            format!(" {good}"),
            format!("{good}\n"),
            good.replace('/', "//"),
            good.replacen(ID, &ID.to_uppercase(), 1),
            good.replace("manuscripts", "covers"),
            good.replace("manuscripts", "manuscripts/.."),
            good.replace(".docx", ".exe"),
            good.replace(".docx", ".DOCX"),
            good.replace(".docx", ""),
            good.replace("novel", "Novel"),
            good.replace("novel", "-novel"),
            good.replace("novel", "no--vel"),
            good.replace("novel", "no.vel"),
            good.replace("novel", ""),
            good.replace("novel", &"a".repeat(61)),
            good.replace("-novel", "novel"),
            good.replace("/manuscripts", "%2fmanuscripts"),
            format!("{ID}/{ID}/{ID}/manuscripts/é{ID}-novel.docx"),
        ] {
            assert_eq!(bad.parse::<ObjectKey>(), Err(KeyError), "{bad}");
        }
    }
}
