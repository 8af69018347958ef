//! An installation in a temporary directory, with `novelfoundry up` as a real child process on free ports.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    ops::Deref,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

mod api;

pub(crate) use api::Api;

/// A cold start took fourteen seconds under heavy load.
const PATIENCE: Duration = Duration::from_mins(1);

/// Calls `probe` until it gives something.
pub(crate) fn poll<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A place for a data directory that is removed with everything in it.
pub(crate) struct Installation {
    root: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Installation {
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("nf-up-").tempdir_in("/tmp").unwrap();
        // As root the database runs as another user, who must be able to pass through.
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.root().join("data")
    }

    /// Returns the program for this installation in an environment of nothing else.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_novelfoundry"));
        command.args(args);
        self.prepare(&mut command);
        command
    }

    pub(crate) fn prepare(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("NOVELFOUNDRY_EMBEDDED_DATA_DIR", self.data_dir())
            .envs(std::env::var_os("NOVELFOUNDRY_PG_BIN").map(|value| ("NOVELFOUNDRY_PG_BIN", value)))
            .current_dir(self.root())
            .stdin(Stdio::null());
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        ended(&mut self.command(args))
    }

    /// Starts everything on free ports, the same at each start, and waits until it is ready.
    pub(crate) fn up(&self, args: &[&str]) -> Running {
        let mut command = self.command(&["up", "--json", "--listen", "127.0.0.1:0"]);
        command.args(["--metrics-listen", "127.0.0.1:0"]).args(args);
        Running::start(command)
    }
}

/// Runs a command to its end.
pub(crate) fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A child that said it is ready; killed when dropped.
pub(crate) struct Running {
    child: Child,
    api: Api,
    pub(crate) summary: Value,
    rest: mpsc::Receiver<String>,
    log: mpsc::Receiver<String>,
}

impl Running {
    pub(crate) fn start(command: Command) -> Self {
        Self::try_start(command).map_err(|ended| ended.stderr).unwrap()
    }

    /// Returns how it ended where it ends before it is ready.
    pub(crate) fn try_start(mut command: Command) -> Result<Self, Ended> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let (log, log_queue) = mpsc::channel();
        thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            let _ = log.send(text);
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (line, first) = mpsc::channel();
        let (rest_sender, rest) = mpsc::channel();
        thread::spawn(move || {
            let mut text = String::new();
            let _ = stdout.read_line(&mut text);
            let _ = line.send(text);
            let mut rest = String::new();
            let _ = stdout.read_to_string(&mut rest);
            let _ = rest_sender.send(rest);
        });
        let text = first.recv_timeout(PATIENCE);
        let stuck = text.is_err();
        let text = text.unwrap_or_default();
        if text.is_empty() {
            if stuck {
                let _ = child.kill();
            }
            let code = child.wait().unwrap().code();
            return Err(Ended { code, stdout: text, stderr: log_queue.recv().unwrap_or_default() });
        }
        let summary: Value = serde_json::from_str(&text).unwrap();
        let api = Api::at(summary["api"].as_str().unwrap());
        Ok(Self { child, api, summary, rest, log: log_queue })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.summary.pointer(pointer).and_then(Value::as_str).unwrap()
    }

    pub(crate) fn postgres(&self) -> u32 {
        let file = Path::new(self.text("/data_dir")).join("postgres/postmaster.pid");
        fs::read_to_string(file).unwrap().lines().next().unwrap().parse().unwrap()
    }

    /// Sends a signal, waits for the end, and returns it with what standard output had after its first line.
    pub(crate) fn stop(mut self, signal: Signal) -> (ExitStatus, String) {
        send(self.pid(), signal);
        let status = poll("its end", || self.child.try_wait().unwrap());
        (status, self.rest.recv_timeout(PATIENCE).unwrap())
    }

    /// Stops it in order and returns what it said on standard error.
    pub(crate) fn said(mut self) -> String {
        send(self.pid(), Signal::TERM);
        let status = poll("its end", || self.child.try_wait().unwrap());
        assert_eq!(status.code(), Some(0));
        self.log.recv_timeout(PATIENCE).unwrap()
    }
}

impl Deref for Running {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            // In order, so that a failing test leaves no process behind.
            send(self.child.id(), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

fn pid(pid: u32) -> Pid {
    Pid::from_raw(pid.try_into().unwrap()).unwrap()
}

pub(crate) fn send(process: u32, signal: Signal) {
    let _ = kill_process(pid(process), signal);
}

/// Waits until a process is gone, or only waits to be reaped by whoever inherited it.
pub(crate) fn gone(process: u32) {
    poll("the end of a process", || {
        let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let zombie = state.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'));
        (zombie || test_kill_process(pid(process)).is_err()).then_some(())
    });
}

/// Returns the checkout.
pub(crate) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
