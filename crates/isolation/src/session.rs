//! One connection whose every word is heard: rows as text, errors with all their parts, notices and notifications.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{StreamExt, stream::poll_fn};
use novelfoundry_connection::{DatabaseUrl, config, connector};
use serde_json::Value;
use tokio_postgres::{AsyncMessage, Client, SimpleQueryMessage, error::DbError};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The server cannot be reached.
    #[error("the server cannot be reached")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection broke.
    #[error("the connection broke")]
    Lost(#[source] tokio_postgres::Error),
    /// The server refused a statement that has to work.
    #[error("{statement}: {message}")]
    Refused {
        /// The statement's beginning.
        statement: String,
        /// The server's words.
        message: String,
        /// Its SQLSTATE.
        code: String,
    },
    /// The answer is not of the form that it must have.
    #[error("an answer of the server is not understood: {0}")]
    Unexpected(String),
}

impl SessionError {
    pub(crate) fn unexpected(error: &dyn std::fmt::Display) -> Self {
        Self::Unexpected(error.to_string())
    }
}

/// A refusal by the server, with every part that could quote data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The SQLSTATE.
    pub code: String,
    /// The message.
    pub message: String,
    /// Detail, hint and context, joined.
    pub rest: String,
    /// The constraint that it names.
    pub constraint: Option<String>,
}

impl From<&DbError> for Refusal {
    fn from(error: &DbError) -> Self {
        let rest = [error.detail(), error.hint(), error.where_()];
        Self {
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            rest: rest.into_iter().flatten().collect::<Vec<_>>().join("\n"),
            constraint: error.constraint().map(ToOwned::to_owned),
        }
    }
}

/// What a statement brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, as text.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many rows were touched or returned.
    pub count: u64,
}

impl Answer {
    /// Returns the only value.
    pub fn value(&self) -> Option<&str> {
        self.rows.first()?.first()?.as_deref()
    }
}

/// A connection.
pub struct Session {
    client: Client,
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// What came without being asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A notice or warning.
    Notice(String),
    /// A notification.
    Notification {
        /// Its channel.
        channel: String,
        /// Its payload.
        payload: String,
    },
}

impl Heard {
    /// Returns its text.
    pub fn text(&self) -> &str {
        match self {
            Self::Notice(text) => text,
            Self::Notification { payload, .. } => payload,
        }
    }
}

impl Session {
    /// Connects.
    pub async fn open(url: &DatabaseUrl, application: &str) -> Result<Self, SessionError> {
        let connector = connector(url).map_err(SessionError::Connect)?;
        let (client, mut driver) = config(url, application)
            .connect(connector)
            .await
            .map_err(|error| SessionError::Connect(error.into()))?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listener = Arc::clone(&heard);
        tokio::spawn(async move {
            let mut messages = pin!(poll_fn(|context| driver.poll_message(context)));
            while let Some(Ok(message)) = messages.next().await {
                let said = match message {
                    AsyncMessage::Notice(notice) => {
                        let refusal = Refusal::from(&notice);
                        Heard::Notice(format!("{}\n{}", refusal.message, refusal.rest))
                    }
                    AsyncMessage::Notification(notification) => Heard::Notification {
                        channel: notification.channel().to_owned(),
                        payload: notification.payload().to_owned(),
                    },
                    _ => continue,
                };
                listener.lock().unwrap_or_else(PoisonError::into_inner).push(said);
            }
        });
        Ok(Self { client, heard })
    }

    /// Sends a statement, or several, and tells what the server says.
    pub async fn try_run(&mut self, statement: &str) -> Result<Result<Answer, Refusal>, SessionError> {
        collect(self.client.simple_query(statement).await)
    }

    /// Sends statements one behind the other without waiting; the answers are in their order. Each is a message of its own.
    pub async fn try_run_all(
        &mut self,
        statements: &[String],
    ) -> Result<Vec<Result<Answer, Refusal>>, SessionError> {
        let asked = statements.iter().map(|statement| self.client.simple_query(statement));
        let answers = futures_util::future::join_all(asked).await;
        answers.into_iter().map(collect).collect()
    }

    /// Sends statements as one message, of which nothing runs behind a refusal; the answers are in their order.
    pub async fn try_run_script(
        &mut self,
        script: &[String],
    ) -> Result<Result<Vec<Answer>, Refusal>, SessionError> {
        let messages = match self.client.simple_query(&script.join(";\n")).await {
            Ok(messages) => messages,
            Err(error) => return collect(Err(error)).map(|refused| refused.map(|_| Vec::new())),
        };
        let mut answers = vec![Answer::default()];
        for message in messages {
            let ends = matches!(message, SimpleQueryMessage::CommandComplete(_));
            if let Some(answer) = answers.last_mut() {
                take(answer, &message);
            }
            if ends {
                answers.push(Answer::default());
            }
        }
        answers.pop();
        Ok(Ok(answers))
    }

    /// Sends a statement that has to work.
    pub async fn run(&mut self, statement: &str) -> Result<Answer, SessionError> {
        self.try_run(statement).await?.map_err(|refusal| refused(statement, &refusal))
    }

    /// Sends a query of one value, JSON.
    pub async fn json(&mut self, query: &str) -> Result<Value, SessionError> {
        let answer = self.run(query).await?;
        serde_json::from_str(answer.value().unwrap_or("null"))
            .map_err(|error| SessionError::unexpected(&error))
    }

    /// Takes what has been heard since the last time.
    pub fn heard(&mut self) -> Vec<Heard> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the driver's client, for COPY.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// Makes the error of a statement that was refused and should not have been.
pub(crate) fn refused(statement: &str, refusal: &Refusal) -> SessionError {
    SessionError::Refused {
        statement: statement.chars().take(200).collect(),
        message: format!("{} {}", refusal.message, refusal.rest).trim().to_owned(),
        code: refusal.code.clone(),
    }
}

type Messages = Result<Vec<SimpleQueryMessage>, tokio_postgres::Error>;

fn collect(messages: Messages) -> Result<Result<Answer, Refusal>, SessionError> {
    let messages = match messages {
        Ok(messages) => messages,
        Err(error) => {
            return match error.as_db_error() {
                Some(refusal) => Ok(Err(refusal.into())),
                None => Err(SessionError::Lost(error)),
            };
        }
    };
    let mut answer = Answer::default();
    for message in &messages {
        take(&mut answer, message);
    }
    Ok(Ok(answer))
}

/// Takes a message into an answer.
fn take(answer: &mut Answer, message: &SimpleQueryMessage) {
    match message {
        SimpleQueryMessage::RowDescription(columns) => {
            answer.columns = columns.iter().map(|column| column.name().to_owned()).collect();
        }
        SimpleQueryMessage::Row(row) => {
            answer.rows.push((0..row.len()).map(|index| row.get(index).map(ToOwned::to_owned)).collect());
        }
        SimpleQueryMessage::CommandComplete(count) => answer.count = *count,
        _ => {}
    }
}

/// Writes a name as SQL takes it.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Writes a text as SQL takes it.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}
