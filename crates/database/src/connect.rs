//! Opens one connection from a checked URL.

use std::collections::HashMap;

use novelfoundry_connection::{CONNECT_TIMEOUT, DatabaseUrl, config, connector};
use tokio_postgres::{AsyncMessage, Client, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{error::DbError, query::Query};

/// How statements are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statements {
    /// Prepared once a connection and named: fastest on a direct connection or session pooler.
    Named,
    /// Typed at each use: the form a transaction pooler can carry.
    Typed,
}

/// A connection with the statements prepared on it.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) statements: Statements,
    connector: MakeRustlsConnect,
    prepared: HashMap<&'static str, Statement>,
    /// False while an answer is awaited, and from before BEGIN until a COMMIT or ROLLBACK is confirmed; a pool keeps only
    /// clean connections.
    pub(crate) clean: bool,
}

impl Connection {
    /// Asks the server to give up what it is doing for this connection, whose answer nobody will read: it might wait for
    /// a lock, and many such would use up the server's connections. Needs a runtime to be sent from.
    pub(crate) fn give_up(self) {
        let (token, connector) = (self.client.cancel_token(), self.connector.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // Without it the statement ends at its own timeout.
                let _ = tokio::time::timeout(CONNECT_TIMEOUT, token.cancel_query(connector)).await;
                // The connection is closed after that, so that the request cannot meet another one's statement.
                drop(self);
            });
        }
    }

    /// Returns the prepared form, preparing it at first use; `None` where statements are sent typed.
    pub(crate) async fn prepare(&mut self, query: &'static Query) -> Result<Option<Statement>, DbError> {
        if self.statements == Statements::Typed {
            return Ok(None);
        }
        if let Some(statement) = self.prepared.get(query.text) {
            return Ok(Some(statement.clone()));
        }
        // Preparing waits for locks too; dropped meanwhile, the connection is not for the next borrower.
        let clean = std::mem::replace(&mut self.clean, false);
        let prepared = self.client.prepare_typed(query.text, query.types).await;
        self.clean = clean;
        let statement = prepared.map_err(DbError::before_commit)?;
        self.prepared.insert(query.text, statement.clone());
        Ok(Some(statement))
    }
}

/// Opens a connection and drives it in a task that ends with it; notifications go to `listener` where given.
pub(crate) async fn connect(
    url: &DatabaseUrl,
    application: &str,
    statements: Statements,
    listener: Option<tokio::sync::mpsc::Sender<()>>,
) -> Result<Connection, DbError> {
    let connector = connector(url).map_err(DbError::Unavailable)?;
    let config = config(url, application);
    // The driver's own limit covers the TCP handshake only.
    let (client, mut driver) = tokio::time::timeout(CONNECT_TIMEOUT * 2, config.connect(connector.clone()))
        .await
        .map_err(|elapsed| DbError::Unavailable(elapsed.into()))?
        .map_err(|error| DbError::Unavailable(error.into()))?;
    tokio::spawn(async move {
        let messages = futures_util::stream::poll_fn(move |context| driver.poll_message(context));
        futures_util::pin_mut!(messages);
        while let Some(message) = futures_util::StreamExt::next(&mut messages).await {
            match message {
                Ok(AsyncMessage::Notification(_)) => {
                    if let Some(listener) = &listener {
                        // A full channel already holds a wake-up.
                        let _ = listener.try_send(());
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "database connection ended");
                    break;
                }
            }
        }
    });
    Ok(Connection { client, statements, connector, prepared: HashMap::new(), clean: true })
}

/// Connects once and returns the server's version text, such as `15.14 (Debian 15.14-0+deb12u1)`.
pub async fn connect_check(url: &DatabaseUrl) -> Result<String, DbError> {
    let connection = connect(url, "novelfoundry", Statements::Typed, None).await?;
    let row =
        connection.client.query_typed("show server_version", &[]).await.map_err(DbError::before_commit)?;
    let version = row.first().ok_or_else(|| DbError::defect("no answer about the version"))?;
    version.try_get(0).map_err(DbError::defect)
}
