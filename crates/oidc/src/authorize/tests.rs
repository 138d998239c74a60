use super::*;

const ISSUER: &str = "https://id.example.test";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const GOOD: [(&str, &str); 8] = [
    ("response_type", "code"),
    ("client_id", "app"),
    ("redirect_uri", "https://app.test/cb"),
    ("scope", "openid email"),
    ("state", "s p&ce"),
    ("nonce", "n1"),
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

fn client() -> Client {
    Client {
        id: "app".into(),
        redirect_uris: vec!["https://app.test/cb".into(), "https://app.test/q?a=1".into()],
        resources: vec!["https://api.test/".into()],
    }
}

/// The good request with one parameter changed, added, or (when empty) left out.
fn with(name: &str, value: &str) -> Parameters {
    let mut pairs = GOOD.to_vec();
    pairs.retain(|(key, _)| *key != name);
    pairs.push((name, value));
    let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Parameters::parse(&encoded).expect("well formed")
}

fn judge(name: &str, value: &str) -> Result<AuthorizeRequest, AuthorizeFailure> {
    validate(&with(name, value), &client(), ISSUER)
}

#[test]
fn a_good_request_passes_and_is_answered() {
    let request = judge("tenant", "acme").expect("nothing is wrong with it");
    assert_eq!(request.scope, Scopes::parse("openid email"));
    assert_eq!(request.prompt, Prompt::Default);
    assert_eq!(
        request.success("c/1", ISSUER).url(),
        "https://app.test/cb?code=c%2F1&state=s+p%26ce&iss=https%3A%2F%2Fid.example.test"
    );
    assert_eq!(
        request.error(ErrorCode::LoginRequired, "Sign in.", ISSUER).url(),
        "https://app.test/cb?error=login_required&error_description=Sign+in.&state=s+p%26ce\
         &iss=https%3A%2F%2Fid.example.test"
    );
    let stored = serde_json::to_string(&request).expect("plain data");
    assert_eq!(serde_json::from_str::<AuthorizeRequest>(&stored).expect("the same"), request);
}

#[test]
fn an_address_keeps_its_own_query() {
    let request = judge("redirect_uri", "https://app.test/q?a=1").expect("registered");
    assert!(request.success("c", ISSUER).url().starts_with("https://app.test/q?a=1&code=c&"));
}

#[test]
fn a_wrong_client_or_address_never_redirects() {
    let cases = [
        ("client_id", ""),
        ("client_id", "other"),
        ("redirect_uri", ""),
        ("redirect_uri", "https://app.test/cb/"),
        ("redirect_uri", "https://app.test/cb/../../evil"),
        ("redirect_uri", "https://app.test.evil.test/cb"),
        ("redirect_uri", "https://app.test@evil.test/cb"),
        ("redirect_uri", "https://app.test/cb?extra=1"),
        ("redirect_uri", "https://app.test/cb#fragment"),
        ("redirect_uri", "//evil.test"),
    ];
    for (name, value) in cases {
        let failure = judge(name, value).expect_err(value);
        assert!(matches!(failure, AuthorizeFailure::ShowToUser(_)), "{name}={value}: {failure:?}");
    }
}

#[test]
fn everything_else_is_told_to_the_client() {
    let cases = [
        ("response_type", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "id_token", "unsupported_response_type"),
        ("response_type", "code id_token", "unsupported_response_type"),
        ("response_mode", "fragment", "invalid_request"),
        ("response_mode", "web_message", "invalid_request"),
        ("scope", "", "invalid_scope"),
        ("scope", "email profile", "invalid_scope"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "s256", "invalid_request"),
        ("request", "eyJ", "request_not_supported"),
        ("request_uri", "https://app.test/r", "request_uri_not_supported"),
        ("prompt", "none login", "invalid_request"),
        ("prompt", "create", "invalid_request"),
        ("max_age", "-1", "invalid_request"),
        ("resource", "https://other.test/", "invalid_target"),
        ("max_age", "soon", "invalid_request"),
        ("max_age", "99999999999", "invalid_request"),
    ];
    for (name, value, code) in cases {
        let Err(AuthorizeFailure::Tell { answer, .. }) = judge(name, value) else { panic!("{name}={value}") };
        let url = answer.url();
        assert!(url.starts_with(&format!("https://app.test/cb?error={code}&")), "{name}={value}: {url}");
        assert!(url.ends_with("&state=s+p%26ce&iss=https%3A%2F%2Fid.example.test"), "{url}");
    }
}

#[test]
fn prompts_and_ages_are_read() {
    let prompts = [
        ("", Prompt::Default),
        ("none", Prompt::None),
        ("login", Prompt::Login),
        ("consent login", Prompt::Login),
        ("select_account", Prompt::Login),
        ("consent", Prompt::Default),
    ];
    for (value, expected) in prompts {
        assert_eq!(judge("prompt", value).expect(value).prompt, expected, "{value}");
    }
    assert_eq!(judge("max_age", "0").expect("a number").max_age, Some(0));
    assert_eq!(judge("response_mode", "query").expect("the default").max_age, None);
}

#[test]
fn parameters_stand_once() {
    assert!(Parameters::parse("client_id=a&client_id=a").is_err());
    assert!(Parameters::parse("redirect_uri=https://app.test&redirect%5Furi=https://evil.test").is_err());
    assert!(Parameters::parse("state=%0a").is_err());
    assert!(Parameters::parse(&format!("state={}", "x".repeat(2049))).is_err());
    assert_eq!(Parameters::parse("unknown=1&unknown=2"), Ok(Parameters::default()));
}

#[test]
fn an_answer_may_travel_in_a_form() {
    let request = judge("response_mode", "form_post").expect("it is offered");
    assert_eq!(request.response_mode, ResponseMode::FormPost);
    let answer = request.success("c1", ISSUER);
    assert_eq!((answer.redirect_uri.as_str(), answer.mode), ("https://app.test/cb", ResponseMode::FormPost));
    let told = [("code", "c1"), ("state", "s p&ce"), ("iss", ISSUER)].map(|(name, value)| (name, value.to_owned()));
    assert_eq!(answer.parameters, told);
    let Err(AuthorizeFailure::Tell { answer, .. }) =
        validate(&Parameters { scope: None, ..with("response_mode", "form_post") }, &client(), ISSUER)
    else {
        panic!("without a scope")
    };
    assert_eq!((answer.mode, answer.parameters[0].1.as_str()), (ResponseMode::FormPost, "invalid_scope"));
}

#[test]
fn the_way_in_has_the_names_of_other_providers() {
    let cases = [
        ("tenant=acme", Some("acme"), None),
        ("organization=org_1", Some("org_1"), None),
        ("tenant=acme&organization=acme", Some("acme"), None),
        ("connection=conn_1", None, Some("conn_1")),
        ("identity_provider=AcmeOkta", None, Some("AcmeOkta")),
        ("idp_identifier=acme.test", None, Some("acme.test")),
        ("kc_idp_hint=acme", None, Some("acme")),
        ("client_id=tenant%3Dacme%26product%3Dportal", Some("acme"), None),
    ];
    for (query, tenant, connection) in cases {
        let read = Parameters::parse(query).expect(query);
        assert_eq!((read.tenant.as_deref(), read.connection.as_deref()), (tenant, connection), "{query}");
    }
    let packed = Parameters::parse("client_id=tenant%3Dacme%26product%3Dportal").expect("packed").client_id;
    assert_eq!(packed.as_deref(), Some("tenant=acme&product=portal"), "the client calls itself so");
    assert_eq!(Parameters::parse("lang=de").expect("Cognito's").ui_locales.as_deref(), Some("de"));
    assert!(Parameters::parse("tenant=acme&organization=globex").is_err(), "which of them?");
    assert!(Parameters::parse("connection=a&kc_idp_hint=b").is_err(), "which of them?");
}

#[test]
fn a_bookmark_that_asks_for_a_token_is_known() {
    let link = "response_type=token&identity_provider=AcmeOkta&client_id=5f4fmec2qnuscp89qbt8nsuftj\
                &redirect_uri=https%3A%2F%2Fapp.test%2Flogin%2Fcallback\
                &scope=aws.cognito.signin.user.admin%20email%20openid%20profile";
    assert!(Parameters::parse(link).expect("well formed").is_entry_link());
    for other in [
        "response_type=token",
        "response_type=code&connection=x",
        "response_type=token&connection=x&code_challenge=x",
        "response_type=id_token&connection=x",
    ] {
        let link = format!("{other}&tenant=acme&client_id=app");
        assert!(!Parameters::parse(&link).expect("well formed").is_entry_link(), "{link}");
    }
    let code = "response_type=code&identity_provider=AcmeOkta&client_id=app";
    assert!(!Parameters::parse(code).expect("well formed").is_entry_link());
}

#[test]
fn a_request_that_was_kept_by_an_older_process_reads() {
    let kept = r#"{"client_id":"app","redirect_uri":"https://app.test/cb","scope":"openid","state":null,"nonce":null,
        "code_challenge":"c","prompt":"default","max_age":null,"login_hint":null,"domain_hint":null,"tenant":null,
        "connection":null}"#;
    let request: AuthorizeRequest = serde_json::from_str(kept).expect("it reads");
    assert_eq!((request.response_mode, request.resource), (ResponseMode::Query, None));
}

#[test]
fn the_browser_adds_the_way_to_what_was_sent_ahead_and_nothing_else() {
    let read = |query: &str| Parameters::parse(query).expect(query);
    let browser =
        || read("client_id=app&connection=c1&login_hint=ann%40acme.test&scope=openid+email&state=evil&redirect_uri=x");
    let merged = read("client_id=app&scope=openid&state=s").by_way_of(browser());
    assert_eq!(merged, read("client_id=app&scope=openid&state=s&connection=c1&login_hint=ann%40acme.test"));
    let merged = read("client_id=app&tenant=acme").by_way_of(browser());
    assert_eq!(merged, read("client_id=app&tenant=acme"), "the way that was sent ahead stands");
    let merged = read("client_id=app&login_hint=bob%40acme.test").by_way_of(browser());
    assert_eq!(merged, read("client_id=app&login_hint=bob%40acme.test&connection=c1"));
}
