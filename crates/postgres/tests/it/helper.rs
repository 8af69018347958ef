//! A process of its own that supervises a server, so that a test can kill it.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::support::{options, try_start};

const DATA_DIR: &str = "NOVELFOUNDRY_TEST_DATA_DIR";
const READY: &str = "supervises process ";

/// Is the body of that process: starts a server, says so and waits for the end of its input.
#[test]
#[ignore = "run by other tests as a process of their own"]
fn supervise() {
    let data_dir = PathBuf::from(env::var_os(DATA_DIR).expect("only other tests run this"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(try_start(&data_dir, options())).unwrap();
    println!("\n{READY}{}", server.pid());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    runtime.block_on(server.stop()).unwrap();
}

/// A process that supervises a server.
pub(crate) struct Helper {
    pub(crate) process: Child,
    /// The server's process.
    pub(crate) server: u32,
    /// Is kept open, since a test program ends in failure when it cannot print.
    _output: BufReader<ChildStdout>,
}

impl Helper {
    /// Runs this test program anew, which `command` wraps.
    pub(crate) fn run(command: &mut Command, data_dir: &Path) -> Result<Self, String> {
        let mut process = command
            .args(["--exact", "helper::supervise", "--ignored", "--nocapture"])
            .env(DATA_DIR, data_dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        while output.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            if let Some(server) = line.trim_end().strip_prefix(READY) {
                return Ok(Self { server: server.parse().unwrap(), process, _output: output });
            }
            line.clear();
        }
        let output = process.wait_with_output().unwrap();
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::run(&mut Command::new(env::current_exe().unwrap()), data_dir).unwrap()
    }
}
