//! The demo workspace: an account with a short story, put there by the same HTTP requests that a writer's browser
//! sends. Each step looks first, so a start that was cut short is made up for by the next.

use std::time::Duration;

use novelfoundry_core::Secret;
use novelfoundry_embedded::issuer::{AccountError, Issuer};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    commands::summary::DEMO_EMAIL as EMAIL,
    output::{Exit, Failure},
};

const STORY: &str = include_str!("../../demo/story.md");
const TITLE: &str = "The Keeper of Small Hours";
const FILENAME: &str = "the-keeper-of-small-hours.md";
const TIMEOUT: Duration = Duration::from_secs(20);

/// Waits until the API answers, which makes "ready" true.
pub(super) async fn answers(url: &str) -> Result<(), Failure> {
    let request = client()?.get(format!("{url}/readyz"));
    let response = request.send().await.map_err(|error| failed("asking the API", &error))?;
    if response.status().is_success() {
        return Ok(());
    }
    Err(refused("asking the API", response).await)
}

/// Makes account, project, manuscript and revision where they are missing.
pub(super) async fn fill(url: &str, issuer: &Issuer, password: &Secret) -> Result<(), Failure> {
    let mut metadata = Map::new();
    metadata.insert("workspace".to_owned(), "The demo".into());
    match issuer.create_account(EMAIL, password.expose(), metadata).await {
        Ok(_) | Err(AccountError::Exists) => {}
        Err(error) => return Err(failed("making the demo account", &error)),
    }
    let client = client()?;
    let sign_in = client
        .post(format!("{url}/auth/v1/token?grant_type=password"))
        .json(&json!({ "email": EMAIL, "password": password.expose() }));
    let doing = "signing in to the demo account";
    let answer = sign_in.send().await.map_err(|error| failed(doing, &error))?;
    let session: Value = match answer.status() {
        StatusCode::OK => answer.json().await.map_err(|error| failed(doing, &error))?,
        StatusCode::BAD_REQUEST => {
            return Err(Failure::new(
                format!("The demo account {EMAIL} has another password than the one in its file"),
                "Start without --demo, or bring the file back from a backup.",
            ));
        }
        _ => return Err(refused(doing, answer).await),
    };
    let writer = Writer { client, url, token: text(&session, "access_token")? };

    let project = writer.find_or_make("/v1/projects", "project_id").await?;
    let manuscripts = format!("/v1/projects/{project}/manuscripts");
    let manuscript = writer.find_or_make(&manuscripts, "manuscript_id").await?;
    writer.upload(&format!("{manuscripts}/{manuscript}/revisions")).await
}

struct Writer<'a> {
    client: Client,
    url: &'a str,
    token: String,
}

impl Writer<'_> {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    async fn items(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let list = send(self.request(Method::GET, path), "looking at the demo workspace").await?;
        Ok(list.get("items").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    /// Returns the id of the thing with the story's title.
    async fn find_or_make(&self, path: &str, id: &str) -> Result<String, Failure> {
        let items = self.items(path).await?;
        if let Some(found) = items.iter().find(|item| item["title"] == TITLE) {
            return text(found, id);
        }
        let create = self.request(Method::POST, path).json(&json!({ "title": TITLE }));
        text(&send(create, "filling the demo workspace").await?, id)
    }

    /// Uploads the story, unless it is there.
    async fn upload(&self, path: &str) -> Result<(), Failure> {
        if self.items(path).await?.iter().any(|revision| revision["state"] == "stored") {
            return Ok(());
        }
        let create = self.request(Method::POST, path).json(&json!({
            "filename": FILENAME,
            "bytes": STORY.len(),
            "sha256": hex::encode(Sha256::digest(STORY)),
            "media_type": "text/markdown",
        }));
        let ticket = send(create, "asking for an upload").await?;
        let upload = &ticket["upload"];
        let mut put = self.client.put(text(upload, "url")?).body(STORY);
        for (name, value) in upload["headers"].as_object().into_iter().flatten() {
            // The client says the length itself.
            if !name.eq_ignore_ascii_case("content-length") {
                put = put.header(name, value.as_str().unwrap_or_default());
            }
        }
        let doing = "uploading the demo story";
        let response = put.send().await.map_err(|error| failed(doing, &error.without_url()))?;
        if !response.status().is_success() {
            return Err(refused(doing, response).await);
        }
        let complete = format!("{path}/{}/complete", text(&ticket, "revision_id")?);
        let complete = self.request(Method::POST, &complete).json(&json!({}));
        send(complete, "completing the demo story's upload").await.map(drop)
    }
}

fn client() -> Result<Client, Failure> {
    // A proxy of the environment has no business on loopback.
    let client = Client::builder().no_proxy().timeout(TIMEOUT).build();
    client.map_err(|error| failed("setting up the HTTP client", &error))
}

async fn send(request: RequestBuilder, doing: &str) -> Result<Value, Failure> {
    let response = request.send().await.map_err(|error| failed(doing, &error))?;
    if !response.status().is_success() {
        return Err(refused(doing, response).await);
    }
    response.json().await.map_err(|error| failed(doing, &error))
}

async fn refused(doing: &str, response: Response) -> Failure {
    let status: StatusCode = response.status();
    let body = response.text().await.unwrap_or_default();
    failed(doing, format!("the answer was {status}: {}", body.chars().take(300).collect::<String>()).as_str())
}

fn failed(doing: &str, why: &(impl ToString + ?Sized)) -> Failure {
    Failure::new(format!("The start failed when {doing}"), "Look at the log above, then start again.")
        .because(why.to_string())
        .exit(Exit::Unavailable)
}

fn text(value: &Value, key: &str) -> Result<String, Failure> {
    let text = value.get(key).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| failed("reading an answer", &format!("it has no `{key}`")))
}
