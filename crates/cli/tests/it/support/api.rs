//! The API as its clients use it, wherever it is served from.

use std::time::Instant;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::PATIENCE;

/// An API at an address.
pub(crate) struct Api {
    url: String,
}

impl Api {
    pub(crate) fn at(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let mut request =
            client.request(method.parse().unwrap(), format!("{}{path}", self.url)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                (status, response.json().await.unwrap_or_default())
            }
            Err(_) => (0, Value::Null),
        }
    }

    /// Uploads a file as a browser would and returns the paths of its revision and of its analysis.
    pub(crate) async fn upload(&self, token: &str, contents: &'static [u8]) -> (String, String) {
        let make = async |path: &str, body: Value, id: &str| {
            let (status, made) = self.call("POST", path, token, Some(body)).await;
            assert!((200..300).contains(&status), "{status} {made}");
            (made[id].as_str().unwrap().to_owned(), made)
        };
        let (project, _) = make("/v1/projects", json!({ "title": "Journey" }), "project_id").await;
        let project = format!("/v1/projects/{project}");
        let manuscripts = format!("{project}/manuscripts");
        let (manuscript, _) = make(&manuscripts, json!({ "title": "Journey" }), "manuscript_id").await;
        let revisions = format!("{manuscripts}/{manuscript}/revisions");
        let digest = hex::encode(Sha256::digest(contents));
        let declared = json!({
            "filename": "story.md", "bytes": contents.len(), "sha256": digest, "media_type": "text/markdown",
        });
        let (revision, ticket) = make(&revisions, declared, "revision_id").await;
        let upload = &ticket["upload"];
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut put = client.put(upload["url"].as_str().unwrap()).body(contents);
        for (name, value) in upload["headers"].as_object().unwrap() {
            if !name.eq_ignore_ascii_case("content-length") {
                put = put.header(name, value.as_str().unwrap());
            }
        }
        assert_eq!(put.send().await.unwrap().status(), 200);
        let revision = format!("{revisions}/{revision}");
        let (analysis, _) = make(&format!("{revision}/complete"), json!({}), "analysis_id").await;
        (revision, format!("{project}/analyses/{analysis}"))
    }

    /// Waits for an analysis to end and returns it.
    pub(crate) async fn analysis(&self, token: &str, path: &str) -> Value {
        let begun = Instant::now();
        loop {
            let (status, analysis) = self.call("GET", path, token, None).await;
            assert_eq!(status, 200, "{analysis}");
            if !matches!(analysis["state"].as_str().unwrap(), "queued" | "running") {
                return analysis;
            }
            assert!(begun.elapsed() < PATIENCE, "the analysis does not end: {analysis}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn sign_in(&self, route: &str, email: &str, password: &str) -> String {
        let body = json!({ "email": email, "password": password });
        let (status, session) = self.call("POST", &format!("/auth/v1/{route}"), "", Some(body)).await;
        assert_eq!(status, 200, "{session}");
        session["access_token"].as_str().unwrap().to_owned()
    }
}
