//! Requests made from the OpenAPI document: one that is accepted for every operation. An operation that is added is
//! tried everywhere without another word, or asks here for a value of its new field or parameter.

use novelfoundry_core::random_token;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::app::{App, Writer, sha256};

const FILE: &[u8] = b"words";

/// The things of one workspace that paths and bodies name.
#[derive(Clone)]
pub(crate) struct Things {
    pub(crate) project: String,
    pub(crate) manuscript: String,
    pub(crate) revision: String,
    pub(crate) analysis: String,
    pub(crate) tenant: String,
    /// A member beside the writer.
    pub(crate) user: String,
    pub(crate) invitation: String,
    /// The token of that invitation.
    pub(crate) token: String,
}

impl Things {
    /// Makes one of each, the revision stored.
    pub(crate) async fn make(app: &App, writer: &Writer) -> Self {
        let manuscript = app.manuscript(writer).await;
        let (revision, done) = app.upload(writer, &manuscript, "a.txt", FILE).await;
        let ids: Vec<_> = revision.split('/').filter(|part| part.len() == 36).map(str::to_owned).collect();
        let [project, manuscript, revision] = ids.try_into().unwrap();
        let analysis = done["analysis_id"].as_str().unwrap().to_owned();
        let user = app.joined(writer, "editor").await.user.to_string();
        let token = app.invitation(writer, "viewer").await;
        let open = app.get(writer, "/v1/invitations").await.expect(200);
        let invitation = open["items"][0]["invitation_id"].as_str().unwrap().to_owned();
        let tenant = writer.tenant.to_string();
        Self { project, manuscript, revision, analysis, tenant, user, invitation, token }
    }

    /// Ids that were never given to anything.
    pub(crate) fn missing(app: &App) -> Self {
        let id = || app.issuer.id().to_string();
        Self {
            project: id(),
            manuscript: id(),
            revision: id(),
            analysis: id(),
            tenant: id(),
            user: id(),
            invitation: id(),
            token: random_token(32).expose().to_owned(),
        }
    }

    pub(crate) fn ids(&self) -> [&str; 7] {
        [
            &self.project,
            &self.manuscript,
            &self.revision,
            &self.analysis,
            &self.tenant,
            &self.user,
            &self.invitation,
        ]
    }

    /// A value that is accepted for the field or parameter of that name.
    pub(crate) fn value(&self, name: &str) -> Value {
        match name {
            "title" | "name" => json!("Words"),
            "filename" => json!("a.txt"),
            "bytes" => json!(FILE.len()),
            "sha256" => json!(sha256(FILE)),
            "media_type" => json!("text/plain"),
            "project_id" => json!(self.project),
            "manuscript_id" => json!(self.manuscript),
            "revision_id" => json!(self.revision),
            "analysis_id" => json!(self.analysis),
            "tenant_id" => json!(self.tenant),
            "user_id" => json!(self.user),
            "invitation_id" => json!(self.invitation),
            "token" => json!(self.token),
            "role" => json!("viewer"),
            "email" => json!("guest@example.com"),
            other => unreachable!("say here what `{other}` accepts"),
        }
    }
}

/// An operation of the document.
#[derive(Clone)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    /// The path with its parameters in braces.
    pub(crate) template: String,
    /// The fields of its body; none where it takes no body.
    fields: Option<Vec<String>>,
    /// Those that must be given.
    required: Vec<String>,
    pub(crate) document: Value,
}

impl Operation {
    /// The names of the path's parameters, in order.
    pub(crate) fn path_parameters(&self) -> Vec<&str> {
        self.template.split('/').filter_map(parameter).collect()
    }

    /// The ids that a request names, in the path and then in the body.
    pub(crate) fn ids(&self) -> Vec<&str> {
        let in_body = self.fields.iter().flatten().map(String::as_str).filter(|name| name.ends_with("_id"));
        self.path_parameters().into_iter().chain(in_body).collect()
    }

    /// The path, each parameter with the value that is given for it.
    pub(crate) fn path_of(&self, value: impl Fn(&str) -> Value) -> String {
        let parts = self.template.split('/').map(|part| match parameter(part) {
            Some(name) => value(name).as_str().unwrap().to_owned(),
            None => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("/")
    }

    pub(crate) fn path(&self, things: &Things) -> String {
        self.path_of(|name| things.value(name))
    }

    /// The body, each field with the value that is given for it.
    pub(crate) fn body_of(&self, value: impl Fn(&str) -> Value) -> Option<Map<String, Value>> {
        let fields = self.fields.as_ref()?;
        Some(fields.iter().map(|name| (name.clone(), value(name))).collect())
    }

    pub(crate) fn body(&self, things: &Things) -> Option<Map<String, Value>> {
        self.body_of(|name| things.value(name))
    }

    /// The body without what may be left out.
    pub(crate) fn shortest_body(&self, things: &Things) -> Option<Map<String, Value>> {
        let mut body = self.body(things)?;
        body.retain(|name, _| self.required.contains(name));
        Some(body)
    }

    /// Whether it takes a parameter outside the path.
    pub(crate) fn takes(&self, place: &str, name: &str) -> bool {
        let mut parameters = self.document["parameters"].as_array().into_iter().flatten();
        parameters.any(|parameter| parameter["in"] == place && parameter["name"] == name)
    }

    /// Whether a problem is documented for a status.
    pub(crate) fn documents(&self, status: u16, code: &str) -> bool {
        let response = &self.document["responses"][status.to_string()];
        response["description"].as_str().is_some_and(|text| text.contains(&format!("`{code}`")))
    }
}

fn parameter(part: &str) -> Option<&str> {
    part.strip_prefix('{').and_then(|part| part.strip_suffix('}'))
}

/// Every operation of the document that is served.
pub(crate) async fn operations(app: &App) -> Vec<Operation> {
    let text = app.http.get(format!("{}/openapi.json", app.url)).send().await.unwrap().text().await.unwrap();
    operations_of(&serde_json::from_str(&text).unwrap())
}

/// Every operation of a document.
pub(crate) fn operations_of(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let schema = schema["$ref"].as_str().map(|reference| {
                let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
                assert_eq!(schema["additionalProperties"], false, "{reference} takes unknown fields");
                schema
            });
            let fields = schema.map(|schema| {
                let properties = schema["properties"].as_object().into_iter().flatten();
                properties.map(|(name, _)| name.clone()).collect()
            });
            let required = schema.and_then(|schema| schema["required"].as_array()).into_iter().flatten();
            let required = required.map(|name| name.as_str().unwrap().to_owned()).collect();
            assert!(fields.is_some() || operation["requestBody"].is_null(), "a body without a name");
            operations.push(Operation {
                id: operation["operationId"].as_str().unwrap_or(template).to_owned(),
                method: verb.to_uppercase().parse().unwrap(),
                template: template.clone(),
                fields,
                required,
                document: operation.clone(),
            });
        }
    }
    assert!(operations.len() >= 24, "only {} operations were found", operations.len());
    operations
}
