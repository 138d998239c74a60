//! Invitations by mail: whom SCIM brings is invited, always by one that works, and nobody twice at once.

mod histories;

use crate::cli::Operator;
use domain::{email::Email, ids::InvitationId};
use gateway::{
    clock::Clock,
    invitation_mail,
    mail::{self, Mail, Returned},
    oauth::settings::Invitations,
    setup,
};
use harness::{
    browser::{Browser, Page},
    customer::Customer,
    gateway_process::{Gateway, own_database, superuser_of, unique},
    smtp::{MailServer, Taken},
};
use reqwest::Method;
use serde_json::json;
use simulator::directory::DirectoryUser;
use sqlx::Connection;
use std::sync::Arc;
use store::invitations::Invited;
use time::Duration;

/// A customer of an application that invites by mail, on a database of its own: whoever sends mail sends everybody's.
pub struct Inviting {
    pub acme: Customer,
    pub server: MailServer,
    pub mail: Mail,
    database: String,
}

impl Inviting {
    pub async fn new() -> Self {
        let (database, server) = (own_database().await, MailServer::start().await);
        let gateway = Gateway::on(&database, Clock::manual(), |_| {}).await;
        let application = gateway.application("https://app.test/callback", |_| {}).await;
        let acme = Customer::entering(&gateway, application).await;
        let all = Self { acme, mail: server.sender(), server, database };
        all.invites(true).await;
        all
    }

    pub async fn invites(&self, by_mail: bool) {
        let change = |_: &mut store::applications::Application, settings: &mut gateway::oauth::settings::Settings| {
            settings.invitations = if by_mail { Invitations::Mail } else { Invitations::None };
        };
        let (gateway, now) = (&self.acme.gateway, self.gateway().clock.now());
        setup::applications::change(&gateway.app.store, now, &self.acme.application.slug, change).await.unwrap();
    }

    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.acme.gateway
    }

    pub fn passes(&self, time: Duration) {
        self.gateway().clock.advance(time);
    }

    /// Sends what is due.
    pub async fn post(&self) -> usize {
        invitation_mail::round(&self.gateway().app, &self.mail).await.unwrap()
    }

    /// All invitations of the connection, newest first.
    pub async fn all(&self) -> Vec<Invited> {
        let (gateway, now) = (self.gateway(), self.gateway().clock.now());
        let mut tx = gateway.app.tenant(self.acme.tenant, store::scope::Actor::Gateway, now).await.unwrap();
        let all = store::invitations::list(&mut tx, self.acme.connection, 1_000).await.unwrap();
        tx.rollback().await.unwrap();
        all
    }

    /// How those stand, newest first.
    pub async fn standing(&self) -> Vec<&'static str> {
        let now = self.gateway().clock.now();
        self.all().await.iter().map(|invited| invited.invitation.status(now).as_str()).collect()
    }

    pub async fn told(&self, kind: &str) -> i64 {
        let mut database = superuser_of(&self.database).await;
        let query = "SELECT count(*) FROM events WHERE tenant_id = $1 AND kind = $2";
        let count = sqlx::query_scalar(query).bind(self.acme.tenant.0).bind(kind).fetch_one(&mut database).await;
        database.close().await.unwrap();
        count.unwrap()
    }

    /// Has Okta send what it sends when somebody is assigned again, or taken out.
    pub async fn turn(&self, id: &str, active: bool) {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "value": { "active": active } }],
        });
        self.acme.scim(Method::PATCH, &format!("/Users/{id}"), Some(body)).await.document(200);
    }

    pub async fn put(&self, id: &str, user: &DirectoryUser) {
        let document = json!({
            "userName": user.user_name, "externalId": user.id, "active": true,
            "name": { "givenName": user.first_name, "familyName": user.last_name },
            "emails": [{ "value": user.email, "primary": true }],
        });
        self.acme.scim(Method::PUT, &format!("/Users/{id}"), Some(document)).await.document(200);
    }

    /// Follows the link of a mail to the end.
    pub async fn comes(&self, mail: &Taken, user: &DirectoryUser) -> Page {
        let (browser, link) = (Browser::new(), mail.link());
        let page = browser.send(|http| http.post(link)).await;
        let posted = self.acme.idp.sign_in(page.redirect(), &user.email).await.unwrap();
        let page = self.acme.post_response(&browser, &posted.saml_response).await;
        browser.get(page.redirect()).await
    }

    async fn resend(&self, id: InvitationId) -> Result<(), String> {
        let (store, now) = (&self.gateway().app.store, self.gateway().clock.now());
        let done = setup::invitations::resend(store, now, self.acme.connection, id).await;
        done.map(drop).map_err(|error| error.to_string())
    }
}

pub async fn looks(mail: &Taken) -> (u16, Option<String>) {
    let page = Browser::new().get(&mail.link()).await;
    (page.status.as_u16(), page.code().map(str::to_owned))
}

#[tokio::test]
async fn whom_scim_brings_is_invited_by_mail_and_accepts_by_signing_in() {
    let all = Inviting::new().await;
    let ann = all.acme.user("ann");
    let id = all.acme.assign(&ann).await;
    assert_eq!(all.standing().await, ["created"]);
    assert_eq!((all.post().await, all.post().await), (1, 0), "once");
    assert_eq!(all.standing().await, ["sent"]);

    let [mail] = &all.server.to(&ann.email)[..] else { panic!("one mail") };
    assert_eq!((mail.from.as_str(), mail.subject().as_str()), ("bounces@app.test", "You are invited to Test app"));
    let link = mail.link();
    let prefix = format!("{}/invite/ghinv_", all.gateway().url);
    assert!(link.starts_with(&prefix) && mail.html().matches(&link).count() == 3, "{}", mail.html());
    for part in [mail.text(), mail.html()] {
        assert!(part.contains("Acme gives you access to Test app") && part.contains(&ann.email), "{part}");
        assert!(part.contains("works until 20"), "{part}");
    }
    let message = mail.message();
    assert_eq!(message.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
    assert!(mail.name().ends_with("@app.test"), "{}", mail.name());

    // What is stored is not what was sent.
    let mut database = superuser_of(&all.database).await;
    let query = "SELECT row_to_json(i)::text FROM invitations i WHERE tenant_id = $1";
    let row: String = sqlx::query_scalar(query).bind(all.acme.tenant.0).fetch_one(&mut database).await.unwrap();
    assert!(!row.contains("ghinv_") && row.contains("code_hash\":\"\\\\x"), "{row}");

    let shown = all.acme.scim(Method::GET, &format!("/Users/{id}"), None).await.document(200);
    assert_eq!(shown["active"], true, "invited is active");
    assert_eq!(looks(mail).await, (200, None));
    assert_eq!(all.standing().await, ["sent"], "to look at it is not to accept it");
    let page = all.comes(mail, &ann).await;
    assert!(page.text.contains("You are signed in"), "{}", page.shown());
    assert_eq!(all.standing().await, ["accepted"]);
    assert_eq!(looks(mail).await, (403, Some("GH-INV-002".to_owned())));
    for (kind, count) in [("invitation.created", 1), ("invitation.sent", 1), ("invitation.accepted", 1)] {
        assert_eq!(all.told(kind).await, count, "{kind}");
    }

    // Without the mail: whoever arrives by single sign-on has accepted it.
    let ben = all.acme.user("ben");
    all.acme.assign(&ben).await;
    all.acme.sign_in(&Browser::new(), &ben.email).await;
    assert_eq!(all.standing().await, ["accepted", "accepted"]);
    assert_eq!(all.post().await, 0, "who is in needs no mail");
}

#[tokio::test]
async fn assigning_again_always_leads_to_an_invitation_that_works() {
    let all = Inviting::new().await;
    let ann = all.acme.user("ann");
    let id = all.acme.assign(&ann).await;
    all.post().await;
    all.passes(Duration::days(14));
    let first = all.server.to(&ann.email).remove(0);
    assert_eq!(looks(&first).await, (403, Some("GH-INV-001".to_owned())));
    assert_eq!(all.standing().await, ["expired"]);

    // Okta's force sync, or its assignment after one that was not told: the whole profile, active all the time.
    all.put(&id, &ann).await;
    assert_eq!((all.standing().await, all.post().await), (vec!["created", "superseded"], 1));
    let second = all.server.to(&ann.email).remove(1);
    assert_eq!((looks(&first).await.1.as_deref(), looks(&second).await.0), (Some("GH-INV-003"), 200));
    all.put(&id, &ann).await;
    assert_eq!(all.post().await, 0, "no mail at each change");

    // Taken out and assigned again.
    all.turn(&id, false).await;
    assert_eq!(all.standing().await[0], "revoked");
    assert_eq!(looks(&second).await.1.as_deref(), Some("GH-INV-003"));
    all.passes(Duration::MINUTE);
    all.turn(&id, true).await;
    assert_eq!(all.post().await, 1);
    let third = all.server.to(&ann.email).remove(2);
    assert!(all.comes(&third, &ann).await.text.contains("You are signed in"));
    // The same after she had come.
    all.turn(&id, false).await;
    all.passes(Duration::MINUTE);
    all.turn(&id, true).await;
    assert_eq!(all.post().await, 1);
    assert_eq!(looks(&all.server.to(&ann.email).remove(3)).await.0, 200);

    // Deleted, and pushed as a new user.
    all.acme.scim(Method::DELETE, &format!("/Users/{id}"), None).await.document(204);
    assert_eq!(all.standing().await[0], "revoked");
    all.passes(Duration::MINUTE);
    all.acme.assign(&ann).await;
    assert_eq!(all.post().await, 1);
    assert_eq!(looks(&all.server.to(&ann.email).remove(4)).await.0, 200);
}

#[tokio::test]
async fn a_corrected_address_is_invited_and_the_wrong_one_is_not_any_more() {
    let all = Inviting::new().await;
    let mut ann = all.acme.user("gone");
    let id = all.acme.assign(&ann).await;
    assert_eq!(all.post().await, 1);
    let [invited] = &all.all().await[..] else { panic!("one") };
    assert_eq!(all.standing().await, ["bounced"]);
    assert!(invited.problem.as_ref().unwrap().contains("No such mailbox"), "{:?}", invited.problem);
    assert_eq!(all.told("invitation.bounced").await, 1);
    all.put(&id, &ann).await;
    assert_eq!(all.post().await, 0, "another change, the same mailbox");

    ann.email = format!("ann@{}", all.acme.domain);
    all.put(&id, &ann).await;
    assert_eq!((all.post().await, all.standing().await), (1, vec!["sent", "superseded"]));
    assert_eq!(looks(&all.server.to(&ann.email)[0]).await.0, 200);
}

#[tokio::test]
async fn a_mail_server_that_is_down_or_says_no_to_us_loses_nothing() {
    let all = Inviting::new().await;
    let (busy, relay) = (all.acme.user("busy"), all.acme.user("relay"));
    all.acme.assign(&busy).await;
    all.acme.assign(&relay).await;
    assert_eq!(all.post().await, 2);
    let problems: Vec<String> = all.all().await.into_iter().filter_map(|invited| invited.problem).collect();
    assert_eq!(all.standing().await, ["created", "created"]);
    assert!(problems.iter().any(|problem| problem.contains("Relaying denied")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("Try again later")), "{problems:?}");
    assert_eq!(all.post().await, 0, "not at once again");
    // Nobody is there at all.
    let nobody = Mail::new(&all.server.settings("smtp://localhost:1")).unwrap();
    all.passes(Duration::minutes(2));
    assert_eq!(invitation_mail::round(&all.gateway().app, &nobody).await.unwrap(), 2);
    all.server.is("mended", true);
    all.passes(Duration::days(2));
    assert_eq!(all.post().await, 2);
    assert_eq!(all.standing().await, ["sent", "sent"]);
    // The 14 days begin when it goes.
    all.passes(Duration::days(13));
    assert_eq!(looks(&all.server.to(&busy.email)[0]).await.0, 200);
}

#[tokio::test]
async fn mail_that_comes_back_later_is_noted_and_forged_is_not() {
    let all = Inviting::new().await;
    let ann = all.acme.user("ann");
    all.acme.assign(&ann).await;
    all.post().await;
    let mail = all.server.to(&ann.email).remove(0);
    let name = mail.name().split_once('@').unwrap().0.to_owned();
    let came = |text: &str| {
        let text = text.replace("NAME", &name);
        mail::returned(text.as_bytes())
    };
    // As Postfix writes it, with the mail or with its headers.
    let whole = include_str!("invitations/returned.eml");
    let returned = came(whole).unwrap();
    assert_eq!(returned, Returned { name: name.clone(), why: "5.1.1 unknown user: \"nobody-here\"".to_owned() });
    assert_eq!(came(include_str!("invitations/returned_headers.eml")).unwrap(), returned);
    for (from, to) in
        [("Action: failed", "Action: delayed"), ("Status: 5.1.1", "Status: 4.4.1"), ("delivery-status\n", "x\n")]
    {
        assert_eq!(came(&whole.replace(from, to)), None, "{to}");
    }
    assert_eq!(came("nothing of a mail"), None);

    let (app, now) = (&all.gateway().app, all.gateway().clock.now());
    let noted = async |name: &str| {
        let returned = Returned { name: name.to_owned(), why: "5.1.1".to_owned() };
        invitation_mail::came_back(&app.store, &app.vault, now, &returned).await.unwrap()
    };
    let (id, tag) = name.rsplit_once('.').unwrap();
    let other = tag.replace(|c: char| c != '0', "0");
    for forged in [format!("{id}.{other}"), id.to_owned(), "x".to_owned(), format!("{name}.x"), String::new()] {
        assert_eq!(noted(&forged).await, None, "{forged}");
    }
    assert_eq!(all.standing().await, ["sent"]);

    // As the mail server hands it to the command.
    let settings = [("GATEHOUSE__DATABASE__URL", app.config.database.url.as_ref().unwrap().0.as_str())];
    let settings = [
        &settings[..],
        &[("GATEHOUSE__DATABASE__CONTROL_URL", app.config.database.control_url.as_ref().unwrap().0.as_str())],
    ]
    .concat();
    let said = Operator::new().await.reads(&settings, &["mail", "bounced"], &whole.replace("NAME", &name));
    assert!(said.contains("unknown user"), "{said}");
    assert_eq!(all.standing().await, ["bounced"]);
    let said = Operator::new().await.reads(&settings, &["mail", "bounced"], "Subject: lunch\n\nAt noon?\n");
    assert!(said.contains("nothing was noted"), "{said}");

    // Whoever came all the same is in.
    all.acme.sign_in(&Browser::new(), &ann.email).await;
    assert!(noted(&name).await.is_some());
    assert_eq!(all.standing().await, ["accepted"]);
}

#[tokio::test]
async fn without_mail_an_account_is_simply_there() {
    let all = Inviting::new().await;
    let (ann, ben) = (all.acme.user("ann"), all.acme.user("ben"));
    let id = all.acme.assign(&ann).await;
    // Gateways hear of it although they remember what applied.
    all.invites(false).await;
    all.acme.assign(&ben).await;
    all.turn(&id, false).await;
    all.passes(Duration::MINUTE);
    all.turn(&id, true).await;
    assert_eq!(all.standing().await, ["created"], "hers is from before");
    all.acme.sign_in(&Browser::new(), &ben.email).await;
    all.invites(true).await;
    let cid = all.acme.user("cid");
    all.acme.assign(&cid).await;
    all.post().await;
    assert_eq!((all.server.to(&ben.email).len(), all.server.to(&cid.email).len()), (0, 1));
}

#[tokio::test]
async fn an_operator_sends_again_where_scim_lives_and_invites_nobody_by_hand() {
    let all = Inviting::new().await;
    let (ann, store) = (all.acme.user("ann"), &all.gateway().app.store);
    // Before SCIM: by hand, and by mail, because the application wants that.
    let email = Email::parse("eve@elsewhere.test").unwrap();
    let now = all.gateway().clock.now();
    let (by_hand, code) = setup::invitations::invite(store, now, all.acme.connection, &email).await.unwrap();
    assert!(code.is_none(), "the code goes by mail alone");
    all.post().await;
    assert_eq!(looks(&all.server.to("eve@elsewhere.test")[0]).await.0, 200);

    let id = all.acme.assign(&ann).await;
    let refused = setup::invitations::invite(store, now, all.acme.connection, &email).await.unwrap_err().to_string();
    assert!(refused.contains("in the identity provider"), "{refused}");
    all.post().await;
    all.passes(Duration::days(20));
    let last = all.all().await[0].invitation.id;
    all.resend(last).await.unwrap();
    all.passes(Duration::SECOND);
    // One by hand would change nothing any more.
    assert!(all.resend(by_hand).await.unwrap_err().contains("in the identity provider"));
    assert_eq!(all.post().await, 1);
    let mails = all.server.to(&ann.email);
    assert_eq!((looks(&mails[0]).await.0, looks(&mails[1]).await.0), (403, 200));
    all.turn(&id, false).await;
    let last = all.all().await.into_iter().find(|invited| invited.account.is_some()).unwrap().invitation.id;
    assert!(all.resend(last).await.unwrap_err().contains("deactivated"));
    all.turn(&id, true).await;
    all.acme.sign_in(&Browser::new(), &ann.email).await;
    let last = all.all().await.into_iter().find(|invited| invited.account.is_some()).unwrap().invitation.id;
    assert!(all.resend(last).await.unwrap_err().contains("was accepted"));
}

#[tokio::test]
async fn who_waits_is_invited_when_the_wait_is_over() {
    let all = Inviting::new().await;
    let (store, clock) = (&all.gateway().app.store, &all.gateway().clock);
    let application = all.acme.application.client_id.parse().unwrap();
    let park = domain::seats::SeatPolicy::Park;
    setup::seats::set(store, clock.now(), all.acme.tenant, application, (1, &park)).await.unwrap();
    let (ann, ben) = (all.acme.user("ann"), all.acme.user("ben"));
    let id = all.acme.assign(&ann).await;
    all.acme.assign(&ben).await;
    all.post().await;
    assert_eq!((all.server.to(&ann.email).len(), all.server.to(&ben.email).len()), (1, 0));
    all.turn(&id, false).await;
    all.post().await;
    assert_eq!(all.server.to(&ben.email).len(), 1, "the seat is his");
}

#[tokio::test]
async fn a_mail_speaks_the_persons_language_and_has_the_looks_of_the_application() {
    let all = Inviting::new().await;
    let ann = all.acme.user("ann");
    let document = json!({
        "userName": ann.user_name, "active": true, "preferredLanguage": "de_AT", "emails": [{ "value": ann.email, "primary": true }],
    });
    let change = |application: &mut store::applications::Application,
                  settings: &mut gateway::oauth::settings::Settings| {
        application.display_name = "<b>Träum & Söhne</b>".to_owned();
        settings.colour = Some("#ffee00".to_owned());
    };
    let now = all.gateway().clock.now();
    setup::applications::change(&all.gateway().app.store, now, &all.acme.application.slug, change).await.unwrap();
    all.acme.scim(Method::POST, "/Users", Some(document)).await.document(201);
    all.post().await;
    let mail = all.server.to(&ann.email).remove(0);
    assert_eq!(mail.subject(), "Sie sind zu <b>Träum & Söhne</b> eingeladen");
    assert!(
        mail.text().contains("zu <b>Träum & Söhne</b>") && mail.html().contains("&#60;b&#62;Träum"),
        "{}",
        mail.html()
    );
    assert!(mail.html().contains("background:#ffee00;color:#000"), "{}", mail.html());
}

#[tokio::test]
async fn mail_goes_out_encrypted_and_to_nobody_who_cannot_prove_who_it_is() {
    for (url, is_taken) in [
        ("smtp://mail.test", false),
        ("smtp://mail.test?tls=none", false),
        ("smtps://mail.test?tls=required", false),
        ("https://mail.test", false),
        ("mail.test", false),
        ("smtp://localhost:25", true),
        ("smtp://mail.test:25?tls=opportunistic", true),
        ("smtp://user:p%40ss@mail.test?tls=required", true),
        ("smtps://user:p%40ss@mail.test", true),
    ] {
        let answer = mail::server(url).map(drop).map_err(|error| format!("{error:#}"));
        assert_eq!(answer.is_ok(), is_taken, "{url}: {answer:?}");
        assert!(answer.err().is_none_or(|problem| !problem.contains("p%40ss")));
    }
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = std::env::temp_dir().join(unique("certificate"));
    std::fs::create_dir_all(&folder).unwrap();
    let (certificate_file, key_file) = (folder.join("c.pem"), folder.join("k.pem"));
    std::fs::write(&certificate_file, key.cert.pem()).unwrap();
    std::fs::write(&key_file, key.signing_key.serialize_pem()).unwrap();
    let server = MailServer::start_encrypted(certificate_file.to_str().unwrap(), key_file.to_str().unwrap()).await;
    let url = format!("smtp://gatehouse:p%40ss%3Aword%2F1@localhost:{}?tls=required", server.port);
    // Nobody vouches for that certificate here, so no password is told.
    let refused = format!("{:#}", Mail::new(&server.settings(&url)).unwrap().check().await.unwrap_err());
    assert!(refused.to_lowercase().contains("certificate") && !refused.contains("p@ss"), "{refused}");

    // A machine that trusts it: another process, because trust is the machine's.
    let settings =
        [("GATEHOUSE__MAIL__SMTP_URL", url.as_str()), ("GATEHOUSE__MAIL__FROM", "Test app <no-reply@app.test>")];
    let trusting = [&settings[..], &[("SSL_CERT_FILE", certificate_file.to_str().unwrap())]].concat();
    let said = Operator::new().await.reads(&trusting, &["mail", "test", "ops@app.test"], "");
    assert!(said.contains("took it"), "{said}");
    let [taken] = &server.to("ops@app.test")[..] else { panic!("one mail") };
    assert!(taken.is_encrypted && taken.is_authenticated, "{taken:?}");
    let refused = Operator::new().await.refusal_with(&settings, &["mail", "test", "ops@app.test"]);
    assert!(refused.contains("certificate"), "{refused}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn of_a_killed_sender_each_mail_arrives_under_the_same_name_with_the_same_code() {
    let all = Inviting::new().await;
    let ann = all.acme.user("ann");
    all.acme.assign(&ann).await;
    // The server has taken it, and the sender never hears of that.
    all.server.is("mute", true);
    let (app, mail) = (all.gateway().app.clone(), all.mail.clone());
    let sending = tokio::spawn(async move { invitation_mail::round(&app, &mail).await });
    while all.server.to(&ann.email).is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    sending.abort();
    all.server.is("mute", false);
    assert_eq!(all.standing().await, ["created"]);
    assert_eq!(all.post().await, 0, "for a while it is kept for the one that took it");
    all.passes(Duration::minutes(4));
    assert_eq!((all.post().await, all.standing().await), (1, vec!["sent"]));
    let [first, second] = &all.server.to(&ann.email)[..] else { panic!("two") };
    assert_eq!((first.name(), first.link()), (second.name(), second.link()), "mail systems show it once");
    assert_eq!(looks(first).await.0, 200);
}
