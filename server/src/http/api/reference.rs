//! The description of the API: an OpenAPI 3.1 document made from the handlers, and a page made from the document.
use super::{access, explain, figures, log, machine, monitor, rotations, trail};
use crate::http::{
    Problem,
    visitor::{Signed, shown},
};
use app::{
    api::page::{self, Call, Member, Section},
    people::tokens::Scope,
};
use axum::{Json, response::Response};
use serde_json::Value;
use std::sync::OnceLock;
use utoipa::{
    Modify, OpenApi, ToResponse, ToSchema,
    openapi::{
        Ref, RefOr,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Countersign",
        description = "Fetch as a pipeline, with a client secret's token; or act in somebody's name, with a personal access \
                       token within its scopes. Every answer that is no success is a problem (RFC 9457). Times are RFC 3339 \
                       in UTC.",
    ),
    paths(
        machine::token,
        machine::secret,
        access::list_requests,
        access::read_request,
        access::submit_request,
        access::withdraw_request,
        access::list_grants,
        access::give_back_grant,
        explain::explain_access,
        explain::list_readers,
        rotations::list_rotations,
        rotations::start_rotation,
        rotations::check_rotation,
        rotations::pause_rotation,
        rotations::resume_rotation,
        rotations::rotation_calendar,
        rotations::read_rotation,
        rotations::resolve_rotation,
        rotations::cancel_rotation,
        rotations::cut_off_rotation,
        rotations::roll_back_rotation,
        rotations::list_cases,
        rotations::read_case,
        rotations::rotation_figures,
        figures::dashboard,
        figures::list_signals,
        figures::read_signal,
        trail::search_events,
        trail::read_event,
        explain::explain_event,
        trail::start_export,
        trail::list_exports,
        trail::read_export,
        trail::cancel_export,
        trail::take_export,
        log::log_checkpoint,
        log::log_consistency,
        log::cosign_head,
        monitor::prometheus,
    ),
    components(schemas(ProblemDetails, FieldProblem), responses(Refused, Conflicting, Mistaken)),
    modifiers(&Schemes, &Everywhere),
    tags(
        (name = "Pipelines", description = "What a workload fetches with."),
        (name = "Access", description = "Asking, what was asked for, what waits for the token's owner, and what they hold. To decide and \
                                         to take a value takes a person in the console."),
        (name = "Rotations", description = "Begun, watched and settled by somebody's program. To agree to one, to confirm a plan \
                                            or to attest takes a person in the console."),
        (name = "Cases", description = "Secrets that had to be rotated, until their old credential was dead."),
        (name = "Trail", description = "Asked in its language, a page at a time; and what can be made of it. What the token's owner \
                                        may not read is not there."),
        (name = "Signals", description = "What stands out in the trail. To answer one takes a person in the console."),
        (name = "Log", description = "For witnesses: heads, proofs that one continues another, and cosignatures."),
        (name = "Figures", description = "Exact, over what the token's owner sees."),
    ),
)]
struct Described;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scopes: Vec<String> =
            Scope::ALL.iter().map(|scope| format!("`{}`: {}", scope.code(), scope.words())).collect();
        let bearer = |words: String| {
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(words)).build())
        };
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("workload", bearer("A token from `POST /api/v1/token`.".into()));
        components.add_security_scheme(
            "personal",
            bearer(format!("A personal access token, made on *Your account*. Its scopes: {}.", scopes.join("; "))),
        );
    }
}

/// What any call may answer, whatever else it does: a body that is not understood, and too many attempts with wrong tokens.
struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        for path in openapi.paths.paths.values_mut() {
            let methods = [&mut path.get, &mut path.post, &mut path.put, &mut path.delete];
            for operation in methods.into_iter().flatten() {
                let mut answers = Vec::new();
                if operation.security.is_some() {
                    answers.push(("429", "Refused"));
                }
                if operation.request_body.is_some() {
                    answers.push(("422", "Mistaken"));
                }
                for (status, named) in answers {
                    let answer = RefOr::Ref(Ref::from_response_name(named));
                    operation.responses.responses.entry(status.into()).or_insert(answer);
                }
            }
        }
    }
}

/// Why something was not done (RFC 9457).
#[derive(ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code, reason = "it describes what `http::error` writes")]
pub struct ProblemDetails {
    /// `urn:countersign:` and a code that stays.
    r#type: String,
    title: String,
    status: u16,
    /// The sentence that people read.
    detail: String,
    /// `urn:countersign:cor_…`: what finds it in the log and the trail.
    instance: String,
    /// Which members of the body are wrong, and how.
    errors: Option<Vec<FieldProblem>>,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what `http::error` writes")]
pub struct FieldProblem {
    field: String,
    detail: String,
}

/// Refused, or not to be seen.
#[derive(ToResponse)]
#[response(
    description = "Refused: a token that is unknown or not for this, a rule, or nothing that one may see.",
    content_type = "application/problem+json"
)]
#[allow(dead_code, reason = "a description")]
pub struct Refused(ProblemDetails);

/// The world changed.
#[derive(ToResponse)]
#[response(description = "It no longer fits what is there.", content_type = "application/problem+json")]
#[allow(dead_code, reason = "a description")]
pub struct Conflicting(ProblemDetails);

/// A mistake in what was sent.
#[derive(ToResponse)]
#[response(description = "A mistake in what was sent, named at its member.", content_type = "application/problem+json")]
#[allow(dead_code, reason = "a description")]
pub struct Mistaken(ProblemDetails);

/// The OpenAPI 3.1 document.
fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::to_value(Described::openapi()).unwrap_or_default())
}

pub async fn openapi() -> Json<&'static Value> {
    Json(document())
}

/// The same for people.
pub async fn reference(signed: Signed) -> Result<Response, Problem> {
    let shell = signed.shell("/api").await?;
    Ok(shown(page::reference(&shell, sections(document()))))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn sections(document: &Value) -> Vec<Section> {
    let tags = document["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
    let paths: Vec<(&String, &Value)> = document["paths"].as_object().into_iter().flatten().collect();
    let calls = |tag: &str| {
        let mut calls = Vec::new();
        for (path, methods) in &paths {
            for (method, call) in methods.as_object().into_iter().flatten() {
                if call["tags"][0] == tag {
                    calls.push(call_of(document, method, path, call));
                }
            }
        }
        calls
    };
    tags.iter()
        .map(|tag| Section {
            name: text(&tag["name"]),
            about: text(&tag["description"]),
            calls: calls(tag["name"].as_str().unwrap_or_default()),
        })
        .collect()
}

fn call_of(document: &Value, method: &str, path: &str, call: &Value) -> Call {
    let parameters = call["parameters"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let schema = |holder: &Value| {
        let schema = &holder["content"]["application/json"]["schema"];
        members(document, schema)
    };
    let scope = call["security"][0]["personal"][0].as_str();
    Call {
        id: text(&call["operationId"]),
        method: method.to_uppercase(),
        path: path.to_owned(),
        about: [text(&call["summary"]), text(&call["description"])].join(" ").trim().to_owned(),
        scope: scope.map(ToOwned::to_owned),
        parameters: parameters
            .map(|parameter| Member {
                name: text(&parameter["name"]),
                kind: kind(document, &parameter["schema"]),
                needed: parameter["required"] == true,
                about: text(&parameter["description"]),
            })
            .collect(),
        body: schema(&call["requestBody"]),
        answer: schema(&call["responses"]["200"]),
    }
}

fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap_or(schema),
        None => schema,
    }
}

/// The members of an object; those of its lists and parts are named by their schema.
fn members(document: &Value, schema: &Value) -> Vec<Member> {
    let schema = resolved(document, schema);
    let needed = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, property)| Member {
            name: name.clone(),
            kind: kind(document, property),
            needed: needed.iter().any(|known| known == name),
            about: text(&property["description"]),
        })
        .collect()
}

/// A type in words: "text", "time", "list of Rotation".
fn kind(document: &Value, schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let choices = resolved(document, schema)["enum"].as_array();
        return match choices {
            Some(choices) => choices.iter().map(text).collect::<Vec<_>>().join(" | "),
            None => reference.rsplit('/').next().unwrap_or_default().to_owned(),
        };
    }
    for either in ["oneOf", "anyOf", "allOf"] {
        if let Some(kinds) = schema[either].as_array() {
            let known = kinds.iter().find(|kind| kind["type"] != "null");
            return known.map_or_else(|| "anything".into(), |known| kind(document, known));
        }
    }
    if let Some(choices) = schema["enum"].as_array() {
        return choices.iter().filter(|choice| !choice.is_null()).map(text).collect::<Vec<_>>().join(" | ");
    }
    let first = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").map(text).unwrap_or_default(),
        other => text(other),
    };
    match (first.as_str(), schema["format"].as_str()) {
        ("string", Some("date-time")) => "time".into(),
        ("string", _) => "text".into(),
        ("integer" | "number", _) => "number".into(),
        ("boolean", _) => "true | false".into(),
        ("array", _) => format!("list of {}", kind(document, &schema["items"])),
        ("object", _) if schema["additionalProperties"].is_object() => {
            format!("{} by name", kind(document, &schema["additionalProperties"]))
        }
        _ => "anything".into(),
    }
}
