//! Finds out which process listens on a port: the one thing that a founder whose port is taken wants to know. Linux
//! tells it in `/proc`; elsewhere nobody is named.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// A process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its id.
    pub(crate) pid: u32,
    /// The name of its program.
    pub(crate) name: String,
}

/// Returns the process that keeps `address` from being listened on; other users' processes may stay hidden.
pub(crate) fn find(address: SocketAddr) -> Option<Holder> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().find_map(|table| {
        let table = fs::read_to_string(table).ok()?;
        table.lines().skip(1).find_map(|line| listener(line, address))
    })?;
    let socket = format!("socket:[{inode}]");
    let pids = fs::read_dir("/proc").ok()?.flatten();
    let pid = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).find(|pid| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        files
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| target.as_os_str() == socket.as_str())
    })?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned();
    Some(Holder { pid, name })
}

/// Returns the inode of a line's socket where it listens in the way of `address`.
fn listener(line: &str, address: SocketAddr) -> Option<u64> {
    const LISTEN: &str = "0A";
    let fields: Vec<_> = line.split_whitespace().collect();
    let local = local_address(fields.get(1)?)?;
    let in_the_way = local.port() == address.port()
        && (local.ip() == address.ip() || local.ip().is_unspecified() || address.ip().is_unspecified());
    (*fields.get(3)? == LISTEN && in_the_way).then(|| fields.get(9)?.parse().ok())?
}

/// Reads `0100007F:2253`: words of 32 bits as this machine orders them, then the port.
fn local_address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words = ip.as_bytes().chunks(8).map(|word| {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        Some(word.to_ne_bytes())
    });
    let bytes = words.collect::<Option<Vec<_>>>()?.concat();
    let ip = match *bytes.as_slice() {
        [a, b, c, d] => IpAddr::from(Ipv4Addr::new(a, b, c, d)),
        ref bytes => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)).to_canonical(),
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use proptest::prelude::*;

    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_found_on_its_port() {
        for address in ["127.0.0.1:0", "0.0.0.0:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let port = listener.local_addr().unwrap().port();
            let holder = find(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
            assert_eq!(holder.pid, std::process::id());
            assert!(!holder.name.is_empty());
        }
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        assert_eq!(local_address("0100007F:2253"), Some(([127, 0, 0, 1], 8787).into()));
        let loopback = local_address("00000000000000000000000001000000:0050");
        assert_eq!(loopback, "[::1]:80".parse().ok());
        assert_eq!(local_address("0000000000000000FFFF00000100007F:0050"), "127.0.0.1:80".parse().ok());
    }

    proptest! {
        #[test]
        fn no_line_is_too_odd(line in ".{0,120}") {
            let _ = listener(&line, ([127, 0, 0, 1], 1).into());
            let _ = local_address(&line);
        }
    }
}
