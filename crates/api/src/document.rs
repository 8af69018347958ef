//! Completes the OpenAPI document with what holds for every operation alike, so that no route has to repeat it and
//! none can forget it: its name and minimum role from the table of operations, and the shape of its problems.

use http::StatusCode;
use novelfoundry_core::Operation as Row;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Content, OpenApi, Ref, RefOr, Response, Responses,
        path::{Operation, PathItem},
    },
};

use crate::problem::ProblemDocument;

/// Fills in what the routes leave out.
pub(crate) fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    components.schemas.insert(ProblemDocument::name().into_owned(), ProblemDocument::schema());
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            if let Some(row) = Row::at(method, path) {
                operation.operation_id = Some(row.definition().id.to_owned());
                if let Some(role) = row.access().role() {
                    let extensions = operation.extensions.get_or_insert_default();
                    extensions.insert("x-minimum-role".to_owned(), role.as_str().into());
                }
            }
            refusals(operation);
            for (status, response) in &mut operation.responses.responses {
                let is_problem = status.starts_with(['4', '5']);
                if let RefOr::T(response) = response
                    && is_problem
                {
                    let schema = Ref::from_schema_name(ProblemDocument::name());
                    let content = RefOr::T(Content::new(Some(schema)));
                    response.content.insert("application/problem+json".to_owned(), content);
                }
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let methods = [
        ("GET", &mut item.get),
        ("POST", &mut item.post),
        ("PUT", &mut item.put),
        ("PATCH", &mut item.patch),
        ("DELETE", &mut item.delete),
    ];
    methods.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Adds what the readers of bodies, paths and headers answer before the handler is asked.
fn refusals(operation: &mut Operation) {
    let responses = &mut operation.responses;
    if operation.request_body.is_some() {
        add(responses, StatusCode::BAD_REQUEST, "invalid-json");
        add(responses, StatusCode::REQUEST_TIMEOUT, "request-timeout");
        add(responses, StatusCode::PAYLOAD_TOO_LARGE, "body-too-large");
        add(responses, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type");
        add(responses, StatusCode::UNPROCESSABLE_ENTITY, "invalid-field");
    }
    if operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty()) {
        add(responses, StatusCode::BAD_REQUEST, "invalid-parameter");
    }
    let any = Response::new("`internal`, `deadline-exceeded`, or what cannot be reached just now");
    responses.responses.insert("5XX".to_owned(), RefOr::T(any));
}

/// Adds a code to those that a status is documented with.
fn add(responses: &mut Responses, status: StatusCode, code: &str) {
    let code = format!("`{code}`");
    let entry = responses.responses.entry(status.as_str().to_owned());
    let RefOr::T(response) = entry.or_insert_with(|| RefOr::T(Response::new(String::new()))) else { return };
    if response.description.is_empty() {
        response.description = code;
    } else if !response.description.contains(&code) {
        response.description = format!("{}, {code}", response.description);
    }
}
