//! Requests and answers as they stand on the wire: what a library leaves out or puts in order can tell two answers
//! apart all the same.

use std::{fmt::Write as _, time::Duration};

use reqwest::Method;
use serde_json::{Map, Value};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::app::{App, Writer};

/// Sends a request on a connection of its own and returns the answer whole, but for the request's id and the date.
pub(crate) async fn exchange(
    app: &App,
    writer: &Writer,
    method: &Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Map<String, Value>>,
) -> String {
    let address = app.url.strip_prefix("http://").unwrap();
    let body = body.map(|body| Value::Object(body.clone()).to_string()).unwrap_or_default();
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n",
        writer.token,
        body.len()
    );
    for (name, value) in headers {
        let _ = write!(request, "{name}: {value}\r\n");
    }
    request += "\r\n";
    request += &body;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read).await.unwrap().unwrap();
    let id = header(&answer, "x-request-id").to_owned();
    let date = header(&answer, "date").to_owned();
    answer.replace(&id, "<id>").replace(&date, "<date>")
}

fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let head = answer.split("\r\n\r\n").next().unwrap();
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next().unwrap()
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}
