//! Everything that can go wrong for somebody who uses Countersign, in words that they can act on.
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// 401: sign in first.
    Unauthenticated,
    /// 404: it does not exist, or this person may not know that it does.
    NotFound,
    /// 403: known, and not allowed.
    Refused(Refusal),
    /// 422: the form has mistakes; each is named at its field.
    Invalid(Vec<FieldError>),
    /// 409: the world changed since the page was drawn.
    Conflict(Conflict),
    /// 405: the address exists and is used in another way.
    WrongMethod,
    /// 413: more than is ever needed.
    TooLarge,
    /// 503: the database did not say whether it kept the change.
    Uncertain,
    /// 500 and 503: not the user's fault; the correlation id finds it in the log.
    Unavailable,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    pub field: &'static str,
    pub message: String,
}

impl Error {
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field, message: message.into() }])
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthenticated => f.write_str("Sign in to go on."),
            Self::NotFound => f.write_str("There is nothing here, or nothing that you may see."),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Invalid(fields) => {
                let messages: Vec<&str> = fields.iter().map(|field| field.message.as_str()).collect();
                f.write_str(&messages.join(" "))
            }
            Self::Conflict(conflict) => conflict.fmt(f),
            Self::WrongMethod => f.write_str("This address is not used in that way."),
            Self::TooLarge => f.write_str("That is more than this page accepts."),
            Self::Uncertain => f.write_str(
                "The database did not answer in time: this may have been done. Look in the audit trail before you try again.",
            ),
            Self::Unavailable => f.write_str("Countersign could not do this now. Nothing was changed."),
        }
    }
}

impl std::error::Error for Error {}

macro_rules! sentences {
    ($(#[$doc:meta])* $type:ident { $($name:ident = $code:literal, $sentence:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type { $($name),* }

        impl $type {
            pub const ALL: &'static [$type] = &[$($type::$name),*];

            pub fn code(self) -> &'static str {
                match self { $($type::$name => $code),* }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($type::$name => $sentence),* })
            }
        }
    };
}

sentences! {
    /// Why somebody may not: the sentence that people read, and the code in the trail.
    Refusal {
        NoRule = "no_rule", "No rule allows you to do this. Ask an administrator which role it needs.";
        WrongCredentials = "wrong_credentials", "That name and password do not belong together.";
        TooManyGuesses = "too_many_guesses", "A hundred wrong codes in a row within a day: six digits are refused until a day after the first of them. A passkey or a recovery code still works.";
        TooManyAttempts = "too_many_attempts", "Too many attempts. Wait a minute, then try again.";
        Disabled = "disabled", "This account is disabled.";
        BadToken = "bad_token", "This token is unknown, has expired or was revoked.";
        TokenScope = "token_scope", "This token is not for that. Some acts are for people in the console alone.";
        OtherOrigin = "other_origin", "This form was sent from another site.";
        LinkUsed = "link_used", "This link was used already, or is no longer valid.";
        NoGrant = "no_grant", "You hold no access to this secret. Ask for it.";
        GrantEnded = "grant_ended", "Your access to this secret has ended. Ask for it again.";
        GrantEarly = "grant_early", "Your access to this secret begins later.";
        GrantSuspended = "grant_suspended", "Your access to this secret is suspended until somebody else confirms it.";
        GrantRight = "grant_right", "Your access does not include this use.";
        CopyOnly = "copy_only", "Values here are copied, never shown.";
        NoPerson = "no_person", "At this protection level values are fetched by workloads alone: no person takes one.";
        OnePersonMode = "one_person_mode", "Production values stay closed until two people can decide.";
        OwnRequest = "own_request", "You cannot decide on your own request.";
        DelegatedSeat = "delegated_seat", "You stand in for whoever asks: somebody else decides.";
        OwnBenefit = "own_benefit", "You cannot decide on access for a workload of your own team.";
        SeatTaken = "seat_taken", "You already decided on this request.";
        NotAnApprover = "not_an_approver", "This step is decided by other roles than yours.";
        MutualApproval = "mutual_approval", "You and the requester decided on each other's requests within 24 hours: somebody else decides.";
        LinkedAccounts = "linked_accounts", "You and somebody whom this concerns count as one person for seven days, because one of you set up the other's account or role.";
        NewcomerDecides = "newcomer_decides", "Your account, your role, a second factor or a way to sign in is younger than 24 hours: you decide nothing in production yet.";
        NewFactor = "new_factor", "This second factor was added within 24 hours and no older one vouched for it: it opens nothing critical and no production yet.";
        ChangedTrust = "changed_trust", "You made this workload, or issued a client secret for it, within seven days: somebody else decides.";
        OnePiece = "one_piece", "With the access that is held or was given already, this would be longer in one piece than the protection level allows.";
        NotOpen = "not_open", "This request is no longer open.";
        WorldChanged = "world_changed", "The request changed since you opened it. Look at it again, then decide.";
        NotYours = "not_yours", "This belongs to somebody else.";
        LastAdministrator = "last_administrator", "This is the last administrator. Give somebody else the role first.";
        SecondPerson = "second_person", "Destroying a production value needs another person than the one who asked for it.";
        TooEarly = "too_early", "It can be destroyed only after the waiting time.";
        SetUpCode = "set_up_code", "That code is not the one that the server printed, or its half hour is over.";
        NotPublic = "not_public", "This is done over loopback or TLS only.";
        PlanUnconfirmed = "plan_unconfirmed", "Somebody of security, who did not set the plan, confirms it before values go there.";
        NoSuchVersion = "no_such_version", "This version was deleted or destroyed.";
        OwnSignal = "own_signal", "This signal is about you. Somebody else answers it.";
        UsedBefore = "used_before", "This value was used before. A secret that rotates does not take one of its last five again.";
        OwnChange = "own_change", "You proposed this, or it is about you. Somebody else confirms it.";
        ManyProposals = "many_proposals", "Twenty proposals of yours wait already. Withdraw some, or let them be answered first.";
        ProviderAnswer = "provider_answer", "The identity provider’s answer could not be trusted, so nobody was signed in. Start again; if it happens again, tell an administrator.";
        ProviderSilent = "provider_silent", "The identity provider did not answer. Whoever is signed in stays so; try again in a while.";
        ProviderDeclined = "provider_declined", "The identity provider did not sign you in.";
        SignInStale = "sign_in_stale", "This sign-in was not begun in this browser, was used already, or took longer than ten minutes. Begin again.";
        UseProvider = "use_provider", "Sign in with the identity provider: passwords are for emergency accounts alone.";
        NotAdmitted = "not_admitted", "The identity provider knows you, but nobody here does yet. Ask an administrator to invite you.";
        IdentityTaken = "identity_taken", "This identity belongs to another account here.";
        NoSecondSignIn = "no_second_sign_in", "Without this identity there would be no way left to sign in. Set a password, or link another identity, first.";
        FactorNeeded = "factor_needed", "This takes a second factor of yours: open the page in a browser and do it there.";
        WrongFactor = "wrong_factor", "That is not a code of yours, or it was used already. Take the next one.";
        NoFactor = "no_factor", "Deciding in production takes a passkey or an authenticator enrolled here. Add one on your account’s page; it counts after 24 hours.";
        SignInAgain = "sign_in_again", "This is done within 15 minutes of signing in. Sign out, sign in again, then do it.";
        Policy = "policy", "A policy of your organisation does not allow this here and now.";
        LocksOut = "locks_out", "With this policy no administrator could give a role or let anybody in, at any hour. It was not brought into force.";
        OtherEnvironment = "other_environment", "This workload belongs to another environment.";
    }
}

sentences! {
    /// Why a change no longer fits.
    Conflict {
        Taken = "taken", "That name is taken.";
        StaleVersion = "stale_version", "Somebody wrote a newer value. Look at it before you write yours.";
        AlreadyDone = "already_done", "This was done already.";
        EditedMeanwhile = "edited_meanwhile", "Somebody changed this since you opened it. Look at it again.";
        RotationOpen = "rotation_open", "A rotation of this secret is under way. Let it end first.";
        TooLate = "too_late", "This request had ended before your answer came. The answer is kept beside it, without effect.";
        WindowOver = "window_over", "The window of this rotation is over. It is not begun outside of it; the next one comes by itself.";
        StillInUse = "still_in_use", "Values are still sealed with this key. Wrap them with the new one first.";
        Archived = "archived", "This secret is archived.";
    }
}
