//! The routes: one folder a resource, one file a verb.

mod analyses;
mod health;
mod invitations;
mod manuscripts;
mod me;
mod members;
mod projects;
mod revisions;
mod tenants;

use std::str::FromStr;

use axum::{Router, extract::DefaultBodyLimit, middleware::from_fn_with_state};
use http::{HeaderName, HeaderValue, Method, header};
use novelfoundry_core::ProblemCode;
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa::openapi::{
    Info, OpenApi, OpenApiBuilder, Server,
    security::{Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{Api, State, docs, document, invitation_page, json, middleware, problem::Problem};

/// Makes the router of the whole API; `other` is served beside it, with limits of its own.
pub fn router(api: Api, other: Router) -> Router {
    let state = State::new(api);
    let (v1, mut document) = documented(state.settings.version);
    document.servers = Some(vec![Server::new(&state.settings.public_url)]);
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(
            state.settings.allowed_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()),
        ))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            HeaderName::from_static("idempotency-key"),
        ])
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(std::time::Duration::from_hours(1));
    let documents = docs::router(&document);
    let surround = from_fn_with_state(state.clone(), middleware::surround);
    // Problems are rendered inside the CORS layer: an allowed page may read why it was refused. A route is boxed again
    // for every call of `layer`, so each takes all of its layers at once.
    let invitation = invitation_page::router(state.settings.sign_in);
    let v1 = v1.with_state(state).layer((cors, surround.clone(), DefaultBodyLimit::max(json::LIMIT)));
    let rest =
        documents.merge(invitation).merge(other).fallback(async || Problem::new(ProblemCode::NotFound));
    v1.merge(rest.layer(surround))
}

/// Returns the OpenAPI document.
pub fn openapi(version: &str) -> OpenApi {
    documented(version).1
}

fn documented(version: &str) -> (Router<State>, OpenApi) {
    let info = Info::builder()
        .title("NovelFoundry")
        .version(version)
        .description(Some(
            "Projects, manuscripts and their analyses. Every failure is `application/problem+json` with a stable \
             `code`; only what cannot be read as an HTTP/1.1 request is answered 400, 414 or 431 without a body. A \
             bearer token names one workspace; everything but `/v1/me`, the workspaces \
             themselves and accepting an invitation happens inside it. Lists are newest first. Creations honour `Idempotency-Key` for 24 hours; changes \
             honour `If-Match`.",
        ))
        .build();
    let base = OpenApiBuilder::new().info(info).build();
    let (router, mut document) = OpenApiRouter::with_openapi(base)
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(me::get::get, me::delete::delete))
        .routes(routes!(tenants::create::create))
        .routes(routes!(tenants::activate::activate))
        .routes(routes!(members::list::list))
        .routes(routes!(members::update::update, members::delete::delete))
        .routes(routes!(members::hand_over::hand_over))
        .routes(routes!(invitations::create::create, invitations::list::list))
        .routes(routes!(invitations::delete::delete))
        .routes(routes!(invitations::accept::accept))
        .routes(routes!(tenants::delete::delete))
        .routes(routes!(projects::create::create, projects::list::list))
        .routes(routes!(projects::get::get, projects::update::update, projects::delete::delete))
        .routes(routes!(manuscripts::create::create, manuscripts::list::list))
        .routes(routes!(manuscripts::get::get, manuscripts::update::update, manuscripts::delete::delete))
        .routes(routes!(revisions::create::create, revisions::list::list))
        .routes(routes!(revisions::get::get))
        .routes(routes!(revisions::complete::complete))
        .routes(routes!(revisions::download::download))
        .routes(routes!(analyses::create::create, analyses::list::list))
        .routes(routes!(analyses::get::get, analyses::delete::delete))
        .split_for_parts();
    let bearer =
        SecurityScheme::Http(Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build());
    document.components.get_or_insert_default().add_security_scheme("bearer", bearer);
    document::complete(&mut document);
    (router, document)
}

/// Reads an id from the path; one that is no id names nothing.
fn id<T: FromStr>(text: &str, missing: ProblemCode) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::new(missing))
}
