//! Finds the processes that work on a cluster, because a pid file alone lies after a crash: its process can be gone, a
//! zombie, or by now a stranger.

use std::path::Path;

use rustix::process::{Pid, Signal};

use crate::config;

/// A live process of a PostgreSQL server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerProcess {
    pub(crate) pid: Pid,
    /// Says that it is the server itself and not one of its children.
    pub(crate) leader: bool,
}

/// Returns how the titles of a server's children begin, if it was started here.
fn title(cluster: &Path) -> String {
    format!("postgres: {}: ", config::cluster_name(cluster))
}

pub(crate) use platform::{servers_in, signal};

#[cfg(target_os = "linux")]
mod platform {
    use std::{
        ffi::OsStr,
        fs,
        os::unix::{ffi::OsStrExt, fs::MetadataExt},
    };

    use rustix::{
        io::Errno,
        process::{PidfdFlags, WaitOptions, kill_process, pidfd_open, pidfd_send_signal, waitpid},
    };

    use super::{Path, Pid, ServerProcess, Signal, title};

    /// Lists the live processes of a server that work on `cluster`; zombies do not count.
    pub(in super::super) fn servers_in(cluster: &Path) -> Vec<ServerProcess> {
        let Ok(place) = fs::metadata(cluster) else { return Vec::new() };
        let place = (place.dev(), place.ino());
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        processes
            .filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?))
            .filter_map(|pid| identify(pid, cluster, place))
            .collect()
    }

    /// Sends a signal to a process that still works on `cluster`; the handle keeps the pid from passing to a stranger
    /// between the look and the signal.
    pub(in super::super) fn signal(process: ServerProcess, cluster: &Path, signal: Signal) {
        let handle = pidfd_open(process.pid, PidfdFlags::empty());
        let Ok(place) = fs::metadata(cluster) else { return };
        if identify(process.pid, cluster, (place.dev(), place.ino())).is_none() {
            return;
        }
        // A failure means that it is gone, which the next look shows.
        let _ = match handle {
            Ok(handle) => pidfd_send_signal(handle, signal),
            Err(Errno::NOSYS) => kill_process(process.pid, signal),
            Err(gone) => Err(gone),
        };
    }

    /// A server and its children have the cluster as their current directory.
    fn identify(pid: Pid, cluster: &Path, place: (u64, u64)) -> Option<ServerProcess> {
        let process = format!("/proc/{pid}", pid = pid.as_raw_nonzero());
        let stat = fs::read_to_string(format!("{process}/stat")).ok()?;
        let state = parse_stat(&stat)?;
        if state.name != "postgres" && state.name != "postmaster" {
            return None;
        }
        if matches!(state.state, "Z" | "X") {
            reap_adopted(pid, state.parent);
            return None;
        }
        let arguments = fs::read(format!("{process}/cmdline")).ok()?;
        let works_here = match fs::metadata(format!("{process}/cwd")) {
            Ok(cwd) => (cwd.dev(), cwd.ino()) == place,
            // Root in a container may not look into processes of others; arguments and titles are open to everyone.
            Err(_) => names_cluster(&arguments, cluster) || arguments.starts_with(title(cluster).as_bytes()),
        };
        works_here.then(|| ServerProcess { pid, leader: !arguments.starts_with(b"postgres: ") })
    }

    /// As the first process of a container this one inherits what a dead server leaves; nobody else would reap it.
    fn reap_adopted(pid: Pid, parent: i32) {
        if std::process::id() == 1 && parent == 1 {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }

    fn names_cluster(arguments: &[u8], cluster: &Path) -> bool {
        let mut arguments = arguments.split(|byte| *byte == 0);
        arguments.any(|argument| argument == b"-D")
            && arguments.next().is_some_and(|path| Path::new(OsStr::from_bytes(path)) == cluster)
    }

    struct Stat<'a> {
        name: &'a str,
        state: &'a str,
        parent: i32,
    }

    /// The name stands in parentheses and may itself hold parentheses and spaces.
    fn parse_stat(stat: &str) -> Option<Stat<'_>> {
        let (head, tail) = stat.rsplit_once(')')?;
        let (_, name) = head.split_once('(')?;
        let mut fields = tail.split_whitespace();
        Some(Stat { name, state: fields.next()?, parent: fields.next()?.parse().ok()? })
    }

    #[cfg(test)]
    mod tests {
        use proptest::prelude::*;

        use super::*;

        #[test]
        fn arguments_name_the_cluster_only_after_their_flag() {
            let cluster = Path::new("/d/postgres");
            assert!(names_cluster(b"/b/postgres\0-D\0/d/postgres\0-c\0x=y\0", cluster));
            assert!(!names_cluster(b"/b/postgres\0-D\0/d/postgres2\0", cluster));
            assert!(!names_cluster(b"vi\0/d/postgres\0-D", cluster));
        }

        #[test]
        fn a_stranger_in_the_directory_is_not_a_server() {
            let directory = tempfile::tempdir().unwrap();
            let mut stranger =
                std::process::Command::new("sleep").arg("60").current_dir(directory.path()).spawn().unwrap();
            assert!(servers_in(directory.path()).is_empty());
            stranger.kill().unwrap();
            stranger.wait().unwrap();
        }

        proptest! {
            #[test]
            fn any_process_name_is_read(name in "[ -~]{1,15}", state in "[RSDZTX]", parent in 0_i32..99999) {
                let line = format!("4711 ({name}) {state} {parent} 4711 0");
                let stat = parse_stat(&line).unwrap();
                prop_assert_eq!((stat.name, stat.state, stat.parent), (name.as_str(), state.as_str(), parent));
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::process::{Command, Stdio};

    use rustix::process::kill_process;

    use super::{Path, Pid, ServerProcess, Signal, title};

    /// Lists the live processes of a server that work on `cluster`, by their arguments and titles.
    pub(in super::super) fn servers_in(cluster: &Path) -> Vec<ServerProcess> {
        let list =
            Command::new("ps").args(["-axww", "-o", "pid=,stat=,command="]).stdin(Stdio::null()).output();
        let Ok(list) = list else { return Vec::new() };
        let (flag, title) = (format!(" -D {} ", cluster.display()), title(cluster));
        String::from_utf8_lossy(&list.stdout)
            .lines()
            .filter_map(|line| {
                let (pid, rest) = line.trim_start().split_once(' ')?;
                let (state, command) = rest.trim_start().split_once(' ')?;
                let command = format!("{} ", command.trim());
                let leader =
                    command.split_once(&flag).is_some_and(|(program, _)| program.ends_with("/postgres"));
                let works_here = leader || command.starts_with(&title);
                let pid = Pid::from_raw(pid.parse().ok()?)?;
                (works_here && !state.starts_with('Z')).then_some(ServerProcess { pid, leader })
            })
            .collect()
    }

    /// Sends a signal to a process that still works on `cluster`.
    pub(in super::super) fn signal(process: ServerProcess, cluster: &Path, signal: Signal) {
        if servers_in(cluster).contains(&process) {
            let _ = kill_process(process.pid, signal);
        }
    }
}
