//! A full disk: `up` ends with one clear sentence, damages nothing, and starts as ever once there is room.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Ended, Installation, Running, ended};

/// A disk of its own at the data directory, in a mount namespace that ends with its holder.
struct Disk {
    installation: Installation,
    holder: Child,
}

impl Disk {
    /// Makes it; none where this user may not mount.
    fn new(size: &str) -> Option<Self> {
        let installation = Installation::new();
        fs::create_dir(installation.data_dir()).unwrap();
        let mut holder = Command::new("unshare");
        // The holder waits for the end of its standard input, which comes with this process at the latest.
        let script = "mount -t tmpfs -o \"size=$1,mode=755\" tmpfs \"$2\" && echo mounted && exec cat";
        holder.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh", size]);
        let holder = holder.arg(installation.data_dir()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut holder) = holder.stderr(Stdio::null()).spawn() else {
            println!("skipped: there is no unshare to have a disk to fill");
            return None;
        };
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let disk = Self { installation, holder };
        if line != "mounted\n" || disk.command("true", &[]).output().is_err() {
            println!("skipped: only who may mount has a disk to fill");
            return None;
        }
        Some(disk)
    }

    /// Returns a program that sees the disk.
    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        self.installation.prepare(&mut command);
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id())).arg("--").arg(program).args(args);
        command
    }

    fn shell(&self, script: &str) -> Ended {
        let data_dir = self.installation.data_dir().display().to_string();
        ended(&mut self.command("sh", &["-c", script, "sh", &data_dir]))
    }

    fn resize(&self, size: &str) {
        let done = self.shell(&format!("mount -o remount,size={size} \"$1\""));
        assert_eq!(done.code, Some(0), "{done:?}");
    }

    fn up(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_novelfoundry");
        self.command(program, &["up", "--json", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"])
    }

    /// Starts where there may be no room; where it ends for that, it says so.
    fn starts(&self) -> bool {
        let up = match Running::try_start(self.up()) {
            Ok(up) => {
                // There may be no room for an orderly end.
                up.stop(Signal::TERM);
                return true;
            }
            Err(ended) => ended,
        };
        let used = self.shell("df -k \"$1\"").stdout;
        assert!(matches!(up.code, Some(2 | 3)), "{used}{up:?}");
        let error = up.stderr.lines().last().unwrap();
        let error: serde_json::Value = serde_json::from_str(error).unwrap();
        let words = error["error"].to_string().to_lowercase();
        assert!(words.contains("is full") || words.contains("no space left"), "{error}");
        assert!(words.contains("free"), "it says what to do: {error}");
        // The server is gone too, or the next start would find it.
        let left = self.shell("cat \"$1\"/postgres*/postmaster.pid 2>/dev/null | head -n 1");
        assert_eq!(left.stdout, "", "{up:?}");
        false
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn a_first_start_gives_up_wherever_the_disk_ends_and_succeeds_with_room() {
    // Not even room for the secrets; none for the database; and from there on to where there is enough.
    for kibibytes in [8, 12 << 10].into_iter().chain((36 << 10..160 << 10).step_by(1 << 10)) {
        let Some(disk) = Disk::new(&format!("{kibibytes}k")) else { return };
        if disk.starts() {
            assert!(kibibytes > 12 << 10, "it started in {kibibytes} KiB");
            return;
        }
        let has_cluster = disk.shell("test -e \"$1\"/postgres/PG_VERSION").code == Some(0);
        if has_cluster || kibibytes <= 12 << 10 {
            assert!(!disk.starts());
            disk.resize("2g");
            let up = Running::start(disk.up());
            assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
        }
    }
    panic!("it never started");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_filled_up_keeps_what_it_has() {
    let Some(disk) = Disk::new("2g") else { return };
    let up = Running::start(disk.up());
    let token = up.sign_in("signup", "anna@example.com", "a long password").await;
    let (status, made) = up.call("POST", "/v1/projects", &token, Some(json!({ "title": "Salt" }))).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));

    let filled = disk.shell("cat /dev/zero >\"$1\"/filler 2>/dev/null; df -k \"$1\"");
    assert!(filled.stdout.contains("100%"), "{filled:?}");
    assert!(!disk.starts());
    assert_eq!(disk.shell("rm \"$1\"/filler").code, Some(0));

    let up = Running::start(disk.up());
    let (status, list) = up.call("GET", "/v1/projects", &token, None).await;
    assert_eq!((status, &list["items"][0]["title"]), (200, &json!("Salt")), "the token is good, too");
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
}
