//! Every route, once: method, path, who may come, and what answers.
use super::{
    Site, account, api, assets, audit, catalog, grants, home, integrity, log, metrics, people, reports, requests,
    rotations, secrets, workloads,
};
use app::{audit::action::Action, people::tokens::Scope};
use axum::{
    Extension,
    handler::Handler,
    http::Method,
    routing::{MethodFilter, MethodRouter, on},
};

/// Who gets past the door. What they may do is decided by the operation behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody: sign-in, static files, health.
    Open,
    /// Anybody signed in; the operation asks policy for this action.
    Person(Action),
    /// Anybody signed in, about themselves alone.
    Own,
    /// A program of a person's, with a token of this scope; the operation asks policy for this action.
    Program(Scope, Action),
    /// A workload with a token or client secret.
    Machine(Action),
}

pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
    pub handler: MethodRouter<Site>,
}

fn route<T: 'static>(
    (method, filter): (Method, MethodFilter),
    path: &'static str,
    access: Access,
    handler: impl Handler<T, Site>,
) -> Route {
    let handler = on(filter, handler);
    let handler = match access {
        Access::Program(scope, action) => handler.layer(Extension(api::Needs(scope, action))),
        Access::Open | Access::Person(_) | Access::Own | Access::Machine(_) => handler,
    };
    Route { method, path, access, handler }
}

fn get<T: 'static>(path: &'static str, access: Access, handler: impl Handler<T, Site>) -> Route {
    route((Method::GET, MethodFilter::GET), path, access, handler)
}

fn post<T: 'static>(path: &'static str, access: Access, handler: impl Handler<T, Site>) -> Route {
    route((Method::POST, MethodFilter::POST), path, access, handler)
}

pub fn table() -> Vec<Route> {
    use Access::{Machine, Open, Own, Person, Program};
    use Action::*;
    use Scope::{ReadRotations, Rotate};
    vec![
        get("/livez", Open, home::livez),
        get("/readyz", Open, home::readyz),
        get("/assets/{name}", Open, assets::asset),
        get("/sign-in", Open, people::sign_in_page),
        post("/sign-in", Open, people::sign_in),
        post("/demo/sign-in", Open, people::demo_sign_in),
        get("/set-up", Open, people::set_up_page),
        post("/set-up", Open, people::set_up),
        get("/link/{token}", Open, people::link_page),
        post("/link/{token}", Open, people::use_link),
        post("/theme", Open, home::theme),
        get("/", Own, home::home),
        get("/go", Own, home::go),
        get("/notices", Own, home::notices),
        post("/notices/read", Own, home::read_notices),
        get("/account", Own, account::account),
        post("/account/password", Person(ChangePassword), account::change_password),
        post("/account/tokens", Person(CreateAccessToken), account::create_token),
        post("/tokens/{id}/end", Person(EndAccessToken), account::end_token),
        post("/sessions/{id}/end", Person(EndSession), account::end_session),
        post("/sign-out", Person(SignOut), account::sign_out),
        get("/inbox", Own, requests::inbox),
        get("/requests", Own, requests::mine),
        get("/requests/new", Person(SubmitRequest), requests::ask),
        post("/requests", Person(SubmitRequest), requests::submit),
        get("/requests/{id}", Person(ViewRequest), requests::request),
        post("/requests/{id}/decide", Person(ApproveRequest), requests::decide),
        post("/requests/{id}/withdraw", Person(WithdrawRequest), requests::withdraw),
        get("/access", Own, grants::access),
        post("/grants/{id}/give-back", Person(GiveBackGrant), grants::give_back),
        post("/grants/{id}/revoke", Person(RevokeGrant), grants::revoke),
        post("/grants/{id}/resume", Person(ResumeGrant), grants::resume),
        get("/projects", Person(ViewCatalog), catalog::projects),
        get("/projects/new", Person(CreateProject), catalog::new_project),
        post("/projects", Person(CreateProject), catalog::create_project),
        get("/projects/{slug}", Person(ViewCatalog), catalog::matrix),
        get("/projects/{slug}/secrets/new", Person(CreateSecret), catalog::new_secret),
        post("/projects/{slug}/secrets", Person(CreateSecret), catalog::create_secret),
        get("/projects/{slug}/import", Person(ImportSecrets), catalog::import_page),
        post("/projects/{slug}/import", Person(ImportSecrets), catalog::preview_import),
        post("/projects/{slug}/import/confirm", Person(ImportSecrets), catalog::import),
        post("/projects/{slug}/environments", Person(CreateEnvironment), catalog::create_environment),
        get("/environments/{id}", Person(ViewCatalog), catalog::environment),
        post("/environments/{id}/rotate-key", Person(RotateKey), catalog::rotate_key),
        post("/environments/{id}/rewrap", Person(RewrapVersions), catalog::rewrap),
        post("/environments/{id}/destroy-key", Person(DestroyKey), catalog::destroy_key),
        get("/secrets/{id}", Person(ViewCatalog), secrets::secret),
        post("/secrets/{id}/reveal", Person(RevealSecret), secrets::reveal),
        post("/secrets/{id}/copy", Person(CopySecret), secrets::copy),
        get("/secrets/{id}/rotation", Person(ConfigureRotation), rotations::plan),
        post("/secrets/{id}/rotation", Person(ConfigureRotation), rotations::configure),
        post("/secrets/{id}/rotation/confirm", Person(ConfirmPlan), rotations::confirm),
        post("/secrets/{id}/rotate", Person(StartRotation), rotations::start),
        post("/secrets/{id}/rotation/check", Person(CheckRotation), rotations::check),
        post("/secrets/{id}/rotation/pause", Person(PauseRotation), rotations::pause),
        post("/secrets/{id}/rotation/resume", Person(ResumeRotation), rotations::resume),
        get("/secrets/{id}/leak", Person(ReportLeak), rotations::leak),
        post("/secrets/{id}/leak", Person(ReportLeak), rotations::report_leak),
        post("/secrets/{id}/versions/{version}/attest", Person(AttestDeath), rotations::attest_version),
        post("/environments/{id}/schedule", Person(SetDefault), rotations::set_default),
        get("/cases", Person(ViewCatalog), rotations::cases),
        get("/cases/{id}", Person(ViewCatalog), rotations::case),
        post("/cases/{id}/contain", Person(ContainCase), rotations::contain),
        post("/cases/{id}/earlier", Person(MoveCase), rotations::earlier),
        post("/cases/{id}/attest", Person(AttestDeath), rotations::attest_case),
        post("/cases/{id}/cancel", Person(CancelCase), rotations::cancel),
        get("/rotations", Person(ViewCatalog), rotations::list),
        get("/rotations/calendar", Person(ViewCatalog), rotations::calendar),
        get("/rotations/known", Person(ViewCatalog), rotations::known),
        get("/rotations/select", Person(ViewCatalog), rotations::select),
        post("/rotations/many", Person(StartRotation), rotations::many),
        post("/rotations/{id}/answer", Person(ApproveRotation), rotations::answer),
        post("/rotations/{id}/roll-back", Person(RollBack), rotations::roll_back),
        post("/rotations/{id}/cut-off", Person(CutOff), rotations::cut_off),
        get("/rotations/{id}", Person(ViewCatalog), rotations::rotation),
        post("/rotations/{id}/resolve", Person(ResolveRotation), rotations::resolve),
        get("/secrets/{id}/write", Person(WriteVersion), secrets::write_page),
        post("/secrets/{id}/write", Person(WriteVersion), secrets::write),
        post("/secrets/{id}/generate", Person(WriteVersion), secrets::generate),
        post("/secrets/{id}/edit", Person(EditSecret), secrets::edit),
        post("/secrets/{id}/move", Person(MoveSecret), secrets::move_),
        get("/secrets/{id}/archive", Person(ArchiveSecret), secrets::archive_page),
        post("/secrets/{id}/archive", Person(ArchiveSecret), secrets::archive),
        post("/secrets/{id}/versions/{version}/delete", Person(DeleteVersion), secrets::delete),
        post("/secrets/{id}/versions/{version}/undelete", Person(UndeleteVersion), secrets::undelete),
        post("/secrets/{id}/versions/{version}/schedule", Person(ScheduleDestruction), secrets::schedule),
        post("/secrets/{id}/versions/{version}/destroy", Person(DestroyVersion), secrets::destroy),
        get("/people", Person(ViewPeople), people::people),
        post("/people", Person(InvitePerson), people::invite),
        get("/people/{id}", Person(ViewPeople), people::person),
        post("/people/{id}/reset", Person(ResetPassword), people::reset),
        post("/people/{id}/disable", Person(DisablePerson), people::disable),
        post("/people/{id}/enable", Person(EnablePerson), people::enable),
        post("/people/{id}/roles", Person(AssignRole), people::assign_role),
        post("/people/{id}/teams", Person(AddMember), people::add_member),
        post("/roles/{id}/remove", Person(RemoveRole), people::remove_role),
        post("/memberships/{id}/remove", Person(RemoveMember), people::remove_member),
        post("/teams", Person(CreateTeam), people::create_team),
        get("/workloads", Person(ViewWorkloads), workloads::workloads),
        get("/workloads/new", Person(CreateWorkload), workloads::new_workload),
        post("/workloads", Person(CreateWorkload), workloads::create),
        get("/workloads/{id}", Person(ViewWorkloads), workloads::workload),
        post("/workloads/{id}/credentials", Person(IssueCredential), workloads::issue_credential),
        post("/workloads/{id}/disable", Person(DisableWorkload), workloads::disable),
        post("/credentials/{id}/revoke", Person(RevokeCredential), workloads::revoke_credential),
        get("/audit", Person(ReadTrail), audit::trail),
        get("/audit/new", Person(ReadTrail), audit::new_events),
        get("/audit/suggest", Person(ReadTrail), audit::suggest),
        post("/audit/views", Person(SaveView), audit::save_view),
        post("/audit/views/{id}/delete", Person(RemoveView), audit::remove_view),
        get("/audit/{seq}", Person(ReadTrail), audit::event),
        get("/reports", Person(StartExport), reports::list),
        post("/reports", Person(StartExport), reports::start),
        get("/reports/{id}", Own, reports::one),
        post("/reports/{id}/cancel", Person(CancelExport), reports::cancel),
        get("/reports/{id}/file", Person(DownloadExport), reports::file),
        get("/reports/{id}/manifest", Person(DownloadExport), reports::manifest),
        get("/dashboard", Person(ReadTrail), metrics::dashboard),
        get("/metrics", Program(Scope::ReadMetrics, ReadTrail), api::prometheus),
        get("/log", Person(ReadTrail), integrity::integrity),
        get("/evidence", Open, integrity::check),
        get("/log/checkpoint", Own, log::checkpoint),
        get("/log/tile/{level}/{*n}", Own, log::tile),
        get("/log/proof/{seq}", Person(ReadTrail), log::proof),
        post("/api/v1/token", Machine(IssueToken), api::token),
        get("/api/v1/secrets/{project}/{environment}/{*path}", Machine(FetchSecret), api::secret),
        get("/api", Own, api::reference),
        get("/api/v1/openapi.json", Open, api::openapi),
        get("/api/v1/requests", Program(Scope::ReadAccess, ViewRequest), api::list_requests),
        get("/api/v1/requests/{id}", Program(Scope::ReadAccess, ViewRequest), api::read_request),
        get("/api/v1/grants", Program(Scope::ReadAccess, ViewCatalog), api::list_grants),
        get("/api/v1/rotations", Program(ReadRotations, ViewCatalog), api::list_rotations),
        post("/api/v1/rotations", Program(Rotate, StartRotation), api::start_rotation),
        post("/api/v1/rotations/check", Program(Rotate, CheckRotation), api::check_rotation),
        post("/api/v1/rotations/pause", Program(Rotate, PauseRotation), api::pause_rotation),
        post("/api/v1/rotations/unpause", Program(Rotate, ResumeRotation), api::resume_rotation),
        get("/api/v1/rotations/calendar", Program(ReadRotations, ViewCatalog), api::rotation_calendar),
        get("/api/v1/rotations/{id}", Program(ReadRotations, ViewCatalog), api::read_rotation),
        post("/api/v1/rotations/{id}/resolve", Program(Rotate, ResolveRotation), api::resolve_rotation),
        post("/api/v1/rotations/{id}/cancel", Program(Rotate, CancelRotation), api::cancel_rotation),
        post("/api/v1/rotations/{id}/cut-off", Program(Rotate, CutOff), api::cut_off_rotation),
        post("/api/v1/rotations/{id}/roll-back", Program(Rotate, RollBack), api::roll_back_rotation),
        get("/api/v1/cases", Program(ReadRotations, ViewCatalog), api::list_cases),
        get("/api/v1/cases/{id}", Program(ReadRotations, ViewCatalog), api::read_case),
        get("/api/v1/events", Program(Scope::ReadTrail, ReadTrail), api::search_events),
        get("/api/v1/events/{seq}", Program(Scope::ReadTrail, ReadTrail), api::read_event),
        get("/api/v1/exports", Program(Scope::ReadTrail, StartExport), api::list_exports),
        post("/api/v1/exports", Program(Scope::ReadTrail, StartExport), api::start_export),
        get("/api/v1/exports/{id}", Program(Scope::ReadTrail, StartExport), api::read_export),
        post("/api/v1/exports/{id}/cancel", Program(Scope::ReadTrail, CancelExport), api::cancel_export),
        get("/api/v1/exports/{id}/file", Program(Scope::ReadTrail, DownloadExport), api::take_export),
        get("/api/v1/log/checkpoint", Program(Scope::Witness, CosignHead), api::log_checkpoint),
        get("/api/v1/log/consistency", Program(Scope::Witness, CosignHead), api::log_consistency),
        post("/api/v1/log/cosignatures", Program(Scope::Witness, CosignHead), api::cosign_head),
        get("/api/v1/figures/rotations", Program(ReadRotations, ViewCatalog), api::rotation_figures),
    ]
}
