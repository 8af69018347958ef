//! Starts a program as the server's user so that it cannot outlive this process: the one place that needs `unsafe`,
//! because what has to happen between fork and exec is beyond the standard library.

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Child, Command},
};

use crate::account::Account;

/// What a child is sent when the thread that spawned it ends, however it ends; where the system cannot do that
/// (macOS), an orphan is found and stopped at the next start.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OnParentDeath {
    /// SIGINT, which a PostgreSQL server takes as: end all sessions, write everything, stop.
    Interrupt,
    /// SIGKILL, for what leaves nothing worth keeping.
    Kill,
}

/// Starts `command` as `account`, in a session of its own, with no environment but a plain search path and locale.
///
/// The thread that calls this has to live as long as the child.
pub(crate) fn spawn(
    command: &mut Command,
    account: &Account,
    on_parent_death: OnParentDeath,
) -> io::Result<Child> {
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LC_ALL", "C")
        // The current directory of this process may be closed to the account.
        .current_dir("/");
    let ids = account.switch.then(|| (account.uid, account.gid, account.groups.clone()));
    let parent = rustix::process::getpid().as_raw_nonzero().get();
    let before_exec = move || {
        if let Some((uid, gid, groups)) = &ids {
            become_user(*uid, *gid, groups)?;
        }
        leave_terminal()?;
        // Setting the user clears the parent-death signal, so it is set last.
        die_with_parent(parent, on_parent_death)
    };
    #[expect(unsafe_code, reason = "the standard library offers no other way to act between fork and exec")]
    // SAFETY: the closure runs in the forked child, where only async-signal-safe calls are allowed. It makes plain
    // system calls, reads memory that was filled before the fork, and neither allocates, locks nor unwinds.
    unsafe {
        command.pre_exec(before_exec);
    }
    command.spawn()
}

/// Drops root for good: real, effective and saved ids.
fn become_user(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    let count = groups.len();
    #[cfg(not(target_os = "linux"))]
    let count = libc::c_int::try_from(groups.len()).unwrap_or(libc::c_int::MAX);
    #[expect(unsafe_code, reason = "no safe call sets the supplementary groups on every system")]
    // SAFETY: the pointer and the count describe one live slice of group ids, which the call only reads.
    check(unsafe { libc::setgroups(count, groups.as_ptr()) })?;
    #[expect(unsafe_code, reason = "no safe call sets all group ids")]
    // SAFETY: takes and returns plain numbers.
    check(unsafe { libc::setgid(gid) })?;
    #[expect(unsafe_code, reason = "no safe call sets all user ids")]
    // SAFETY: takes and returns plain numbers.
    check(unsafe { libc::setuid(uid) })
}

/// Keeps a Ctrl-C at the terminal from reaching the child: it is stopped in order by its supervisor.
fn leave_terminal() -> io::Result<()> {
    rustix::process::setsid()?;
    Ok(())
}

#[cfg(target_os = "linux")]
fn die_with_parent(parent: i32, how: OnParentDeath) -> io::Result<()> {
    use rustix::process::Signal;

    let signal = match how {
        OnParentDeath::Interrupt => Signal::INT,
        OnParentDeath::Kill => Signal::KILL,
    };
    rustix::process::set_parent_process_death_signal(Some(signal))?;
    // A parent that died before the call above sends nothing.
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    if now == Some(parent) { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "has the shape of its Linux counterpart")]
fn die_with_parent(_parent: i32, _how: OnParentDeath) -> io::Result<()> {
    Ok(())
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
