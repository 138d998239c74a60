//! Every way in which a secret was seen to come, and what is kept of it.

use super::*;

/// Bodies with the secret `hunter2` in them.
const BODIES: [&str; 39] = [
    r#"{"password":"hunter2"}"#,
    r#"{"p\u0061ssword":"hunter2"}"#,
    r#"{"pwd":"hunter2"}"#,
    r#"{"passwd":"hunter2"}"#,
    r#"{"passPhrase":"hunter2"}"#,
    r#"{"credential":{"data":"hunter2"}}"#,
    r#"{"apiKey":"hunter2"}"#,
    r#"{"api_key":"hunter2"}"#,
    r#"{"x-api-key":["hunter2"]}"#,
    r#"{"bearer":"hunter2"}"#,
    r#"{"Authorization":"hunter2"}"#,
    r#"{"client_secret":"hunter2"}"#,
    r#"{"urn:x:2.0:User":{"apiToken":"hunter2"}}"#,
    r#"{"urn:ietf:params:scim:schemas:core:2.0:User:password":"hunter2"}"#,
    r#"{"Operations":[{"op":"replace","value":{"PassWord":"hunter2"}}]}"#,
    r#"{"Operations":[{"op":"replace","path":"password","value":"hunter2"}]}"#,
    r#"{"Operations":[{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:password","value":"hunter2"}]}"#,
    r#"{"Operations":[{"Op":"replace","Path":"password","Value":["hunter2"]}]}"#,
    r#"{"Operations":[{"op":"replace","path":["password"],"value":"hunter2"}]}"#,
    r#"{"Operations":[{"op":"replace","path":["title","password"],"values":["x","hunter2"]}]}"#,
    r#"{"Operations":[{"op":"replace","attribute":"password","value":"hunter2"}]}"#,
    r#"{"Operations":[{"op":"replace","name":"password","value":{"x":"hunter2"}}]}"#,
    r#"{"Operations":[{"method":"PATCH","path":"/Users/1","data":{"Operations":[{"path":"password","value":"hunter2"}]}}]}"#,
    r#"{"credentials":[{"type":"password","value":"hunter2"}]}"#,
    r#"{"logins":[{"type":"password","value":"hunter2"}]}"#,
    r#"{"logins":[{"name":"API-Key","values":["hunter2"]}]}"#,
    r#"{"filter":"password eq \"hunter2\""}"#,
    r#"{"filter":"password eq hunter2"}"#,
    r#"{"filter":"active eq \"hunter2\" and password pr"}"#,
    r#"{"sortBy":"password.hunter2"}"#,
    r#"{"Operations":[{"op":"add","path":"password[value eq \"hunter2\"]","value":"x"}]}"#,
    r#"{"Operations":[{"op":"add","path":"password.hunter2","value":"x"}]}"#,
    r#"{"Operations":[{"op":"add","value":{"password[value eq \"hunter2\"]":"x"}}]}"#,
    r#"{"password=hunter2":1}"#,
    r#"{"nickName":"password=hunter2"}"#,
    r#"{"nickName":"{\"pwd\":\"hunter2\"}"}"#,
    r#"["Bearer hunter2"]"#,
    r#""password=hunter2""#,
    "password=hunter2",
];

#[test]
fn a_body_keeps_no_secret_wherever_it_stands() {
    for sent in BODIES {
        let kept = body(sent.as_bytes()).unwrap();
        assert!(!kept.contains("hunter2"), "{kept} of {sent}");
        let told = detail("The value \"hunter2\" of \"x\" is \"hunter2\".", "/Users", sent.as_bytes());
        assert_eq!(told, "The value \"[removed]\".", "{sent}");
    }
}

#[test]
fn what_is_no_secret_is_kept() {
    for (sent, kept) in [
        (r#"{"userName":"ann"}"#, r#"{"userName":"ann"}"#),
        (r#"{"emails":[{"type":"work","value":"a@b"}]}"#, r#"{"emails":[{"type":"work","value":"a@b"}]}"#),
        (
            r#"{"op":"replace","path":"password","value":"hunter2"}"#,
            r#"{"op":"replace","path":"password","value":"[removed]"}"#,
        ),
        (r#"{"password":"hunter2","title":"Chef"}"#, r#"{"password":"[removed]","title":"Chef"}"#),
        (r#"{"path":["PassWord"],"op":"remove"}"#, r#"{"op":"remove","path":["PassWord"]}"#),
    ] {
        let (got, wanted): (Value, Value) =
            (serde_json::from_str(&body(sent.as_bytes()).unwrap()).unwrap(), serde_json::from_str(kept).unwrap());
        assert_eq!(got, wanted);
    }
    assert_eq!(body(b""), None);
}

#[test]
fn an_address_keeps_no_secret() {
    for (path, query, kept) in [
        ("/Users", Some("filter=p%61ssword%20eq%20%22x%22"), "/Users?[removed]"),
        ("/Users", Some("filter=active+eq+%22hunter2%22+and+password+pr"), "/Users?[removed]"),
        ("/Users", Some("filter=password%20eq%20hunter2"), "/Users?[removed]"),
        ("/Users", Some("sortBy=pwd.hunter2"), "/Users?[removed]"),
        ("/Users", Some("access_token=hunter2"), "/Users?[removed]"),
        ("/Users", Some("api-key=hunter2&count=1"), "/Users?[removed]"),
        ("/Users", Some("x=ghscim_hunter2"), "/Users?[removed]"),
        ("/Users", Some("x=ghscim%5Fhunter2"), "/Users?[removed]"),
        ("/Users/password=hunter2", None, "/Users/[removed]"),
        ("/Users/p%61ssword=hunter2/x", None, "/Users/[removed]/x"),
        ("/Users/ghref%5Fhunter2", Some("count=1"), "/Users/[removed]?count=1"),
        ("/Users", Some("count=1"), "/Users?count=1"),
        ("/Users", Some("filter=userName+eq+%22ann%22"), "/Users?filter=userName+eq+%22ann%22"),
        ("/Users/7", None, "/Users/7"),
    ] {
        assert_eq!(target(path, query), kept);
    }
}

#[test]
fn a_sentence_quotes_nothing_where_a_secret_was_spoken_of() {
    let bare = "The filter names \"title\".";
    for (told, address, sent, kept) in [
        (bare, "/Users?filter=title", "", bare),
        (bare, "/Users", r#"{"userName":"ann"}"#, bare),
        (bare, "/Users?filter=p%61ssword+pr", "", "The filter names \"[removed]\"."),
        (bare, "/Users/password", "", "The filter names \"[removed]\"."),
        (bare, "/Users", "pwd=hunter2", "The filter names \"[removed]\"."),
        (bare, "/Users", r#"{"path":"password"}"#, "The filter names \"[removed]\"."),
        ("It is \"a \"hunter2\" b\", no", "/Users?x=token", "", "It is \"[removed]\", no"),
        ("It is \"hunter2", "/Users?x=token", "", "It is \"[removed]\""),
        ("It is no value.", "/Users?x=token", "", "It is no value."),
        ("It is \"ghscim_hunter2\".", "/Users", "", "It is \"[removed]\"."),
    ] {
        assert_eq!(detail(told, address, sent.as_bytes()), kept, "{told} {address} {sent}");
    }
}

#[test]
fn our_own_secrets_are_kept_nowhere() {
    for kind in ["ghscim_", "ghsec_", "ghcode_", "ghref_", "ghroot_", "GHSCIM_"] {
        let sent = format!("curl/8 ({kind}hunter2-_x), ann");
        assert_eq!(text(&sent), "curl/8 ([removed]), ann");
        for json in [format!(r#"{{"nickName":"{kind}hunter2"}}"#), format!(r#"{{"{kind}hunter2":1}}"#)] {
            let kept = body(json.as_bytes()).unwrap();
            assert!(!kept.contains("hunter2") && kept.contains(REMOVED), "{kept}");
        }
    }
    assert_eq!(text("gh ghscim é"), "gh ghscim é");
}

#[test]
fn a_long_body_is_cut_between_characters() {
    let kept = body(format!("\"{}\"", "é".repeat(9_000)).as_bytes()).unwrap();
    assert_eq!(kept.chars().count(), MAX_BODY + 1);
}
