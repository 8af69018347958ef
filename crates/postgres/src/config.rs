//! The server's settings, given on its command line, where neither `postgresql.conf` nor `ALTER SYSTEM` outranks them.

use std::{
    ffi::{OsStr, OsString},
    net::SocketAddr,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

use sha2::{Digest, Sha256};

/// What suits one application on a small machine; the caller may choose otherwise.
const MODEST: &[(&str, &str)] = &[
    ("max_connections", "100"),
    ("shared_buffers", "128MB"),
    ("max_wal_size", "512MB"),
    // A later move to a cluster reads changes by logical decoding, and this cannot be changed without a restart.
    ("wal_level", "logical"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_min_messages", "warning"),
    // Details of an error quote rows, which are the writers' texts.
    ("log_error_verbosity", "terse"),
    ("log_line_prefix", "%m [%p] %q%u@%d %a "),
];

/// What nobody may choose otherwise where the data are to last.
const DURABLE: &[(&str, &str)] = &[("fsync", "on"), ("full_page_writes", "on"), ("synchronous_commit", "on")];

/// What a cluster has whose data need not outlive its server.
const DISPOSABLE: &[(&str, &str)] = &[
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("synchronous_commit", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("autovacuum", "off"),
];

/// What nobody may choose otherwise: who may connect, and what the supervisor itself relies on.
const FIXED: &[(&str, &str)] = &[
    ("password_encryption", "scram-sha-256"),
    ("unix_socket_permissions", "0700"),
    ("unix_socket_group", ""),
    ("log_destination", "stderr"),
    ("logging_collector", "off"),
    ("lc_messages", "C"),
];

/// Returns the arguments of `postgres` for a cluster.
pub(crate) fn arguments(
    cluster: &Path,
    socket_dir: &Path,
    listen: Option<SocketAddr>,
    port: u16,
    settings: &[(String, String)],
    disposable: bool,
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["-D".into(), cluster.into()];
    let mut set = |name: &str, value: &OsStr| {
        let mut setting = OsString::from(name);
        setting.push("=");
        setting.push(value);
        arguments.extend(["-c".into(), setting]);
    };
    // Of two settings of one name the later counts.
    for (name, value) in MODEST {
        set(name, value.as_ref());
    }
    for (name, value) in settings {
        set(name, value.as_ref());
    }
    for (name, value) in if disposable { DISPOSABLE } else { DURABLE } {
        set(name, value.as_ref());
    }
    for (name, value) in FIXED {
        set(name, value.as_ref());
    }
    let address = listen.map_or_else(String::new, |listen| listen.ip().to_string());
    set("cluster_name", cluster_name(cluster).as_ref());
    set("listen_addresses", address.as_ref());
    set("port", port.to_string().as_ref());
    set("unix_socket_directories", &list_item(socket_dir));
    arguments
}

/// Names a cluster in the titles of all its processes, so that they can be told from those of other clusters.
pub(crate) fn cluster_name(cluster: &Path) -> String {
    let digest = Sha256::digest(cluster.as_os_str().as_bytes());
    format!("novelfoundry-{}", hex::encode(&digest[..6]))
}

/// Quotes a path as one item of a comma-separated list.
fn list_item(path: &Path) -> OsString {
    let mut item = vec![b'"'];
    for byte in path.as_os_str().as_bytes() {
        if *byte == b'"' {
            item.push(b'"');
        }
        item.push(*byte);
    }
    item.push(b'"');
    OsString::from_vec(item)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn effective(arguments: &[OsString], name: &str) -> Option<String> {
        let prefix = format!("{name}=");
        let mut values = arguments.iter().filter_map(|argument| argument.to_str()?.strip_prefix(&prefix));
        values.next_back().map(ToOwned::to_owned)
    }

    #[test]
    fn the_caller_chooses_sizes_but_not_durability() {
        let settings =
            [("shared_buffers", "1GB"), ("fsync", "off"), ("listen_addresses", "*"), ("port", "1")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let arguments = arguments(Path::new("/d"), Path::new("/d/run"), None, 5432, &settings, false);
        for (name, value) in
            [("shared_buffers", "1GB"), ("fsync", "on"), ("listen_addresses", ""), ("port", "5432")]
        {
            assert_eq!(effective(&arguments, name).as_deref(), Some(value), "{name}");
        }
        assert!(!arguments.contains(&"-F".into()));
    }

    proptest! {
        #[test]
        fn a_quoted_path_is_one_item(path in "/[a-z\", ]{0,20}") {
            let item = list_item(Path::new(&path)).into_string().unwrap();
            let inner = item.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
            prop_assert!(!inner.replace("\"\"", "").contains('"'));
            prop_assert_eq!(inner.replace("\"\"", "\""), path);
        }
    }
}
