//! What to do about a database that lets nobody in. Drivers, resolvers and poolers each have their own words for the few
//! things that go wrong, and people know neither.

/// Returns what to do about a failure to connect, where its words tell.
pub(crate) fn advice(why: &str) -> Option<&'static str> {
    let table = [
        (
            &["No space left on device"][..],
            "The database's disk is full: free some space and try again; what was committed is safe on it.",
        ),
        (
            &["not valid for name"],
            "The server's certificate is for another name: write the host in the URL as the certificate has it.",
        ),
        (&["sslrootcert"], "Name a readable PEM file of trusted certificates by `sslrootcert=` in the URL."),
        (
            &["UnknownIssuer", "invalid peer certificate", "self-signed"],
            "The server's certificate is of an authority that this machine does not know: download its CA certificate \
             and add `sslrootcert=/path/to/ca.crt` to the URL.",
        ),
        (
            &["Tenant or user not found", "no tenant identifier"],
            "Through a pooler the login is `login.projectref`, such as novelfoundry_tenant.abcdefghijklm.",
        ),
        (
            &["password authentication failed", "invalid password"],
            "The password is wrong or was changed: `novelfoundry migrate --rotate --write-env FILE` sets new ones.",
        ),
        (
            &["failed to lookup address", "Name or service not known"],
            "The host's name is not known: look for a misspelling.",
        ),
        (
            &["Network is unreachable", "No route to host"],
            "This machine has no route to the host; where it has an IPv6 address only, use the provider's session \
             pooler (port 5432) or its IPv4 add-on.",
        ),
        (&["Connection refused"], "Nothing listens there: look whether the server runs, and on which port."),
        (&["No such file or directory"], "There is no socket: look whether the server runs."),
        (
            &["server does not support TLS", "TLS"],
            "The server offers no TLS: switch it on, or on a private link add `sslmode=disable` to the URL.",
        ),
        (
            &["too many connections", "remaining connection slots"],
            "Lower `database.pool_size`, or raise the server's max_connections.",
        ),
        (&["prepared statement"], "That is a transaction pooler: set `database.statements` to `typed`."),
        (&["does not exist"], "Create the database, or correct its name in the URL."),
        (
            &["permission denied for database", "no pg_hba.conf entry"],
            "The server does not let this login in from here.",
        ),
    ];
    table.into_iter().find(|(words, _)| words.iter().any(|word| why.contains(word))).map(|(_, next)| next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_cause_is_told() {
        let told = |why| advice(why).unwrap();
        assert!(
            told("error performing TLS handshake: invalid peer certificate: UnknownIssuer")
                .contains("sslrootcert")
        );
        assert!(told("server does not support TLS").contains("sslmode=disable"));
        assert!(told("db error: FATAL: Tenant or user not found").contains("projectref"));
        assert!(told("connect: Network is unreachable (os error 101)").contains("IPv6"));
        assert!(told("ERROR: could not extend file: No space left on device").contains("free some space"));
        assert_eq!(advice("something else"), None);
    }
}
