//! The unmodified npm client, installed as its lock file says: what an issuer is worth is what this client makes of it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const INSTALL: &[&str] =
    &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=30000"];

/// A directory in which `@supabase/supabase-js` can be imported.
pub struct SupabaseJs {
    directory: tempfile::TempDir,
}

impl SupabaseJs {
    /// Installs it, or prints that the test is skipped.
    ///
    /// # Panics
    /// Where the lock file does not fit: that is a fault of ours, and a registry that does not answer is not.
    pub async fn install() -> Option<Self> {
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../embedded/tests/supabase-js");
        let directory = tempfile::tempdir().unwrap();
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(source.join(file), directory.path().join(file)).unwrap();
        }
        match run(directory.path(), "npm", INSTALL).await {
            Ok(output) if output.status.success() => Some(Self { directory }),
            Ok(output) => {
                let complaint = String::from_utf8_lossy(&output.stderr);
                assert!(!complaint.contains("EUSAGE") && !complaint.contains("EINTEGRITY"), "{complaint}");
                let reason = complaint.lines().find(|line| line.contains("code ")).unwrap_or_default();
                println!("skipped: npm cannot install @supabase/supabase-js: {reason}");
                None
            }
            Err(error) => {
                println!("skipped: npm cannot be run: {error}");
                None
            }
        }
    }

    /// Runs a script with the client beside it and returns what it prints.
    ///
    /// # Panics
    /// Where the script fails.
    pub async fn run(&self, script: &Path, arguments: &[&str]) -> String {
        let name = script.file_name().and_then(std::ffi::OsStr::to_str).unwrap();
        std::fs::copy(script, self.directory.path().join(name)).unwrap();
        let arguments = [&[name][..], arguments].concat();
        let output = run(self.directory.path(), "node", &arguments).await.unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
        said(&output.stdout)
    }
}

async fn run(directory: &Path, program: &str, arguments: &[&str]) -> std::io::Result<Output> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output()).await.unwrap()
}
