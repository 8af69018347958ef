//! Takes the ports before anything else is started, so that a port in use is said at once and by whom.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::net::TcpListener;

use super::port_holder;
use crate::output::{Exit, Failure};

/// Listens on `address`. For port 0 that is any free one, at best the one of the last time, so that addresses stay the
/// same over a restart.
pub(crate) async fn listen(
    flag: &str,
    address: SocketAddr,
    last: Option<SocketAddr>,
) -> Result<TcpListener, Failure> {
    if let Some(last) = last.filter(|last| address.port() == 0 && last.ip() == address.ip())
        && let Ok(listener) = TcpListener::bind(last).await
    {
        return Ok(listener);
    }
    TcpListener::bind(address).await.map_err(|error| failure(flag, address, error))
}

fn failure(flag: &str, address: SocketAddr, error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let holder = port_holder::find(address).map_or_else(
                || "another process".to_owned(),
                |holder| format!("`{}` (process {})", holder.name, holder.pid),
            );
            Failure::new(
                format!("{address} is in use by {holder}"),
                format!("Stop that process, or choose another address with --{flag}."),
            )
            .exit(Exit::Unavailable)
        }
        io::ErrorKind::AddrNotAvailable => Failure::new(
            format!("{address} is not an address of this machine"),
            format!("Choose another address with --{flag}."),
        ),
        io::ErrorKind::PermissionDenied => Failure::new(
            format!("This user may not listen on {address}"),
            format!("Choose a port from 1024 on with --{flag}, and let a reverse proxy have the lower one."),
        ),
        _ => Failure::new(
            format!("Cannot listen on {address}"),
            format!("Choose another address with --{flag}."),
        )
        .because(error),
    }
}

/// Returns an address that leads to a listener from this machine.
pub(crate) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
