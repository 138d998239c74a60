//! The operator's commands for sign-in, run as the operator runs them.

use super::acme_with_ann;
use crate::{cli::Operator, scim::assert_says};
use harness::browser::Browser;
use serde_json::{Value, json};

#[tokio::test]
async fn an_operator_sets_how_sign_in_behaves_and_sees_it() {
    let (acme, operator) = (harness::customer::Customer::new().await, Operator::new().await);
    let id = acme.connection.to_string();
    let usual = operator.json(&["connection", "show", &id]);
    let expected = json!({ "sha1": "refused", "idp_initiated": "restart", "relay_states": [], "email_domains": [],
        "authn_context": Value::Null, "test_until": Value::Null, "slo_url": format!("http://localhost:8080/c/{id}/saml/slo"),
        "idp_slo_url": acme.idp.slo_url() });
    assert_says(&usual, &expected);
    let set = |more: &[&str]| operator.json(&[&["connection", "sign-in", &id][..], more].concat());
    let all = set(&[
        "--idp-initiated",
        "accept",
        "--relay-state",
        "https://board.test/a",
        "--relay-state",
        "/b",
        "--force-authn",
        "on",
        "--name-id-format",
        "persistent",
        "--authn-context",
        "urn:mfa",
        "--authn-comparison",
        "minimum",
        "--clock-skew",
        "60",
        "--email-domain",
        "Acme.TEST",
        "--sign-metadata",
        "on",
        "--allow-sha1",
        "on",
        "--map",
        "email=mail,NameID",
        "--test",
        "5",
    ]);
    let expected = json!({ "sha1": "ALLOWED, although it is not safe", "idp_initiated": "accept",
        "relay_states": ["https://board.test/a", "/b"], "force_authn": true, "is_passive": false,
        "name_id_format": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
        "authn_context": { "classes": ["urn:mfa"], "comparison": "minimum" }, "clock_skew_seconds": 60,
        "email_domains": ["acme.test"], "sign_metadata": true });
    assert_says(&all, &expected);
    assert_eq!(all["mapping"]["email"], json!(["mail", "NameID"]));
    assert!(all["test_until"].is_string());
    let listed = operator.json(&["connection", "list", "--tenant", &acme.slug]);
    assert_eq!(listed[0]["sha1"], "ALLOWED, although it is not safe");
    let back = set(&[
        "--relay-state",
        "",
        "--email-domain",
        "",
        "--authn-context",
        "",
        "--map",
        "email=",
        "--name-id-format",
        "",
        "--test",
        "0",
    ]);
    let expected = json!({ "idp_initiated": "accept", "relay_states": [], "email_domains": [], "authn_context": Value::Null,
        "name_id_format": Value::Null, "test_until": Value::Null, "force_authn": true });
    assert_says(&back, &expected);
    assert_eq!(back["mapping"]["email"], json!([]));

    assert!(operator.refusal(&["connection", "sign-in", &id]).contains("nothing to set"));
    assert!(
        operator
            .refusal(&["connection", "sign-in", &id, "--email-domain", "not a domain"])
            .contains("not a domain name")
    );
    for wrong in [["--map", "shoe=x"], ["--map", "email"], ["--name-id-format", "shoe"], ["--clock-skew", "601"]] {
        let output = operator.run(&[&["connection", "sign-in", &id][..], &wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

#[tokio::test]
async fn an_operator_makes_shows_and_retires_keys() {
    let (acme, operator) = (harness::customer::Customer::new().await, Operator::new().await);
    let id = acme.connection.to_string();
    let key = |more: &[&str]| operator.json(&[&["connection", "key"][..], more].concat());
    let first = key(&["list", &id]);
    assert_says(&first[0], &json!({ "algorithm": "rsa", "does": "signs; to encrypt for" }));
    let made = key(&["rotate", &id, "--algorithm", "ec", "--after", "0"]);
    let listed = key(&["list", &id]);
    assert_says(
        &listed,
        &json!([{ "id": made["id"], "algorithm": "ec", "does": "signs" },
        { "id": first[0]["id"], "algorithm": "rsa", "does": "to encrypt for" }]),
    );
    let exported = operator.run(&["connection", "key", "export", &id, made["id"].as_str().unwrap()]);
    let exported = String::from_utf8(exported.stdout).unwrap();
    assert!(exported.starts_with("-----BEGIN CERTIFICATE-----\n"), "{exported}");
    assert!(Browser::new().get(&acme.url("/saml/metadata")).await.text.contains(exported.lines().nth(1).unwrap()));
    let old = first[0]["id"].as_str().unwrap();
    assert!(operator.refusal(&["connection", "key", "retire", &id, old]).contains("this key is in use"));
    key(&["rotate", &id, "--decrypt-only"]);
    operator.run(&["connection", "key", "retire", &id, old]);
    assert!(!key(&["list", &id]).to_string().contains(old));
    let unknown = operator.refusal(&["connection", "key", "retire", &id, old]);
    assert!(unknown.contains("connection key list"), "{unknown}");
    assert!(
        operator
            .refusal(&["connection", "key", "rotate", &id, "--algorithm", "ec", "--decrypt-only"])
            .contains("cannot decrypt")
    );
}

#[tokio::test]
async fn an_operator_reads_what_became_of_a_sign_in() {
    let ((acme, ann), operator) = (acme_with_ann().await, Operator::new().await);
    let id = acme.connection.to_string();
    assert_eq!(operator.json(&["connection", "attempts", &id]), json!([]));
    let waiting = acme.waiting(&ann).await;
    waiting.is_refused(&waiting.signed(&waiting.honest().audience("https://x.test")), "GH-SAML-811").await;
    waiting.gets_in(&waiting.signed(&waiting.honest())).await;
    acme.gateway.app.steps.flush().await;
    let steps = operator.json(&["connection", "attempts", &id]);
    assert_says(
        &steps[0],
        &json!({ "step": "signed in", "code": "ok", "attempt": waiting.request.id, "from": "127.0.0.1" }),
    );
    let refused = operator.json(&["connection", "attempts", &id, "--refused"]);
    assert_says(&refused, &json!([{ "step": "meaning", "code": "GH-SAML-811", "received": "https://x.test" }]));
    let whole = operator.json(&["connection", "attempts", &id, "--attempt", &waiting.request.id]);
    assert_eq!(whole.as_array().unwrap().len(), 4);
    assert!(whole[3]["message"].as_str().unwrap().contains("AuthnRequest"), "{whole}");
}
