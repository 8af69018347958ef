//! Killing a process cannot show a missing fsync, since the page cache survives it; a trace of system calls can.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use novelfoundry_embedded::store::{ObjectStore, serve};
use reqwest::StatusCode;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::fixture::{Store, bytes, options};

const ROOT: &str = "NOVELFOUNDRY_TRACED_STORE";
const CALLS: &str =
    "trace=mkdirat,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,unlinkat,sendto,sendmsg";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that the trace is taken of"]
async fn traced_store() {
    let root = PathBuf::from(std::env::var_os(ROOT).expect("started by the test below"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\nlistening {}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let served = tokio::spawn(serve(ObjectStore::open(options(root)).unwrap(), listener, stop.clone()));
    // Serves until the test closes the pipe.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    stop.cancel();
    served.await.unwrap();
}

/// A system call: where in the trace it began and ended, and its text.
#[derive(Debug)]
struct Call {
    begin: usize,
    end: usize,
    text: String,
}

fn calls(trace: &str) -> Vec<Call> {
    let (mut calls, mut open): (Vec<Call>, HashMap<&str, usize>) = (Vec::new(), HashMap::new());
    for (at, line) in trace.lines().enumerate() {
        let Some((process, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if rest.starts_with("<...") {
            if let Some(call) = open.remove(process) {
                calls[call].end = at;
                calls[call].text.push_str(rest);
            }
            continue;
        }
        if rest.ends_with("<unfinished ...>") {
            open.insert(process, calls.len());
        }
        calls.push(Call { begin: at, end: at, text: rest.to_owned() });
    }
    calls
}

fn find<'c>(calls: &'c [Call], from: usize, what: &str, is: impl Fn(&str) -> bool) -> &'c Call {
    let found = calls.iter().find(|call| call.begin > from && is(&call.text));
    found.unwrap_or_else(|| panic!("no {what} behind line {from} of {calls:#?}"))
}

fn trace_of(root: &Path, body: &[u8], key: &str) -> Option<String> {
    let output = root.with_extension("trace");
    let strace = Command::new("strace")
        .args(["-f", "-y", "-s", "64", "-e", CALLS, "-o"])
        .arg(&output)
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "store::trace::traced_store", "--nocapture"])
        .env(ROOT, root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = strace else { return None };
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let address = stdout
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("listening ").map(str::to_owned));
    let Some(address) = address else {
        child.wait().unwrap();
        return None;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let status = runtime.block_on(async {
        let store = Store::at(address, root.to_owned(), CancellationToken::new(), tokio::spawn(async {}));
        store.put(key, body).await.status()
    });
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(status, StatusCode::OK);
    Some(std::fs::read_to_string(output).unwrap())
}

#[test]
fn an_upload_is_durable_before_it_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("store");
    let Some(trace) = trace_of(&root, &bytes(1_000_000, 9), "t/u/novel.txt") else {
        println!("skipped: strace is missing or not permitted");
        return;
    };
    let calls = calls(&trace);
    let name = |call: &str| call.split('(').next().unwrap_or_default().to_owned();
    let temporary = format!("<{}/temporary/", root.display());
    let bucket = format!("<{}/buckets/novels", root.display());

    let write = |text: &str| {
        ["write", "pwrite64", "writev"].contains(&name(text).as_str()) && text.contains(&temporary)
    };
    let last_write =
        calls.iter().rfind(|call| write(&call.text)).expect("the body is written to a temporary file");
    let sync = find(&calls, last_write.end, "sync of the file", |text| {
        text.starts_with("fsync(") && text.contains(&temporary)
    });
    // Each new directory is durable in its parent before the next.
    let mut at = sync.end;
    for (parent, child) in [(format!("{bucket}>"), "dt"), (format!("{bucket}/dt>"), "du")] {
        let make = find(&calls, at, "new directory", |text| {
            text.starts_with("mkdirat(") && text.contains(&format!("{parent}, \"{child}\""))
        });
        let sync = find(&calls, make.end, "sync of its parent", |text| {
            text.starts_with("fsync(") && text.contains(&parent)
        });
        at = sync.end;
    }
    let leaf = format!("{bucket}/dt/du>");
    let rename = find(&calls, at, "rename", |text| {
        text.starts_with("renameat") && text.contains(&format!("{leaf}, \"onovel.txt\""))
    });
    let sync = find(&calls, rename.end, "sync of the directory", |text| {
        text.starts_with("fsync(") && text.contains(&leaf)
    });
    let is_answer = |text: &str| text.contains("\"HTTP/1.1 200 OK");
    let answer = find(&calls, sync.end, "answer", is_answer);
    let answers = calls.iter().filter(|call| is_answer(&call.text)).count();
    assert_eq!(answers, 1, "no answer before {answer:?}");
    for call in [sync, rename] {
        assert!(call.text.contains(" = 0"), "{call:?}");
    }
}
