//! The documentation as pages: one of all operations and one a problem code, made from the same tables as the code.
//! No script, nothing from elsewhere. Links are relative, so that they hold below the base path of a proxy.

use std::{fmt::Write as _, sync::Arc};

use axum::{
    Router,
    extract::Path,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use novelfoundry_core::ProblemCode;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::problem::Problem;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{overflow:auto;padding:.75rem;border:1px solid var(--line);border-radius:.4rem}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line)}\
table{table-layout:fixed}td code,h2 code{overflow-wrap:anywhere}td:first-child,th:first-child{width:24%}\
.index td:first-child{width:5.5rem}.index td:nth-child(2){width:45%}section{margin:2.5rem 0}h2 code{font-size:1em}.verb{display:inline-block;min-width:4.5rem;font-weight:700}";

pub(crate) fn router<S: Clone + Send + Sync + 'static>(document: &OpenApi) -> Router<S> {
    let json = serde_json::to_value(document).unwrap_or_default();
    let text: Arc<str> = json.to_string().into();
    let index: Arc<str> = index(&json).into();
    Router::new()
        .route(
            "/openapi.json",
            get(async move || ([(header::CONTENT_TYPE, "application/json")], text.to_string())),
        )
        .route("/docs", get(async move || page(index.to_string())))
        .route("/docs/problems/{code}", get(problem))
}

/// The policy allows this page's own style and nothing else.
fn page(html: String) -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    novelfoundry_http::page(StatusCode::OK, policy, html).into_response()
}

async fn problem(Path(code): Path<String>) -> Result<Response, Problem> {
    let row = ProblemCode::ALL
        .iter()
        .map(|problem| problem.definition())
        .find(|row| row.code == code)
        .ok_or_else(|| Problem::new(ProblemCode::NotFound))?;
    Ok(page(frame(
        row.code,
        &format!(
            "<p><a href=\"../../docs\">NovelFoundry API</a></p><h1>{}</h1><p><code>{}</code>, status {}</p><p>{}</p>",
            row.title,
            row.code,
            row.status,
            markdown(row.explanation)
        ),
    )))
}

fn frame(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body>{body}</body></html>"
    )
}

fn index(document: &Value) -> String {
    let mut body = format!(
        "<h1>NovelFoundry API</h1><p>Version {}. <a href=\"openapi.json\">OpenAPI document</a>. {}</p>",
        text(&document["info"]["version"]),
        markdown(text(&document["info"]["description"]))
    );
    body.push_str("<h2>Operations</h2><table class=\"index\">");
    let operations = operations(document);
    for (verb, path, operation) in &operations {
        let _ = write!(
            body,
            "<tr><td><span class=\"verb\">{verb}</span></td><td><a href=\"#{}\"><code>{path}</code></a></td><td>{}</td></tr>",
            text(&operation["operationId"]),
            markdown(text(&operation["summary"]))
        );
    }
    body.push_str("</table>");
    for (verb, path, operation) in &operations {
        section(&mut body, verb, path, operation);
    }
    body.push_str("<section><h2>Shapes</h2>");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        shape(&mut body, name, schema);
    }
    body.push_str("</section><section><h2>Problems</h2><table>");
    for problem in ProblemCode::ALL {
        let row = problem.definition();
        let _ = write!(
            body,
            "<tr><td>{}</td><td><a href=\"docs/problems/{1}\"><code>{1}</code></a></td><td>{2}</td></tr>",
            row.status, row.code, row.title
        );
    }
    body.push_str("</table></section>");
    frame("NovelFoundry API", &body)
}

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, item)| {
            item.as_object()
                .into_iter()
                .flatten()
                .filter(|(verb, _)| matches!(verb.as_str(), "get" | "post" | "patch" | "delete" | "put"))
                .map(|(verb, operation)| (verb.to_uppercase(), path.clone(), operation))
        })
        .collect()
}

fn section(body: &mut String, verb: &str, path: &str, operation: &Value) {
    let id = text(&operation["operationId"]);
    let _ =
        write!(body, "<section id=\"{id}\"><h2><span class=\"verb\">{verb}</span> <code>{path}</code></h2>");
    let _ = write!(
        body,
        "<p>{} {}</p>",
        markdown(text(&operation["summary"])),
        markdown(text(&operation["description"]))
    );
    if let Some(role) = operation["x-minimum-role"].as_str() {
        let _ = write!(body, "<p>Minimum role: {role}.</p>");
    }
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let rows: String = parameters.fold(String::new(), |mut rows, parameter| {
        let _ = write!(
            rows,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            text(&parameter["name"]),
            text(&parameter["in"]),
            markdown(text(&parameter["description"]))
        );
        rows
    });
    if !rows.is_empty() {
        let _ = write!(body, "<table><tr><th>Parameter</th><th>In</th><th></th></tr>{rows}</table>");
    }
    let request = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !request.is_null() {
        let _ = write!(body, "<p>Body: {}</p>", kind(request));
    }
    body.push_str("<table><tr><th>Status</th><th>Answer</th></tr>");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let schema = &response["content"]["application/json"]["schema"];
        let answer = if schema.is_null() { markdown(text(&response["description"])) } else { kind(schema) };
        let _ = write!(body, "<tr><td>{status}</td><td>{answer}</td></tr>");
    }
    body.push_str("</table></section>");
}

fn shape(body: &mut String, name: &str, schema: &Value) {
    let _ = write!(
        body,
        "<h3 id=\"{name}\"><code>{name}</code></h3><p>{}</p><table>",
        markdown(text(&schema["description"]))
    );
    let parts = schema["allOf"].as_array().into_iter().flatten();
    for part in parts.chain([schema]) {
        if part["$ref"].is_string() {
            let _ = write!(body, "<tr><td colspan=\"3\">all of {}</td></tr>", kind(part));
        }
        for (field, schema) in part["properties"].as_object().into_iter().flatten() {
            let _ = write!(
                body,
                "<tr><td><code>{field}</code></td><td>{}</td><td>{}</td></tr>",
                kind(schema),
                markdown(text(&schema["description"]))
            );
        }
    }
    body.push_str("</table>");
}

/// Names a schema's type in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#{name}\"><code>{name}</code></a>");
    }
    if let Some(options) = schema["oneOf"].as_array() {
        return options.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        kind => text(kind).to_owned(),
    };
    match (kinds.as_str(), schema["format"].as_str()) {
        ("array", _) => format!("list of {}", kind(&schema["items"])),
        (_, Some(format)) => format!("{kinds} ({format})"),
        _ => kinds,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Escapes a text of ours and sets what stands in backticks as code.
fn markdown(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped
        .split('`')
        .enumerate()
        .map(|(index, part)| if index % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() })
        .collect()
}
