//! `gatehouse-sim okta`: one action of an Okta admin, each exchange printed.

use anyhow::{Context, bail};
use simulator::directory::{Directory, DirectoryUser, Status};
use simulator::okta::{Failure, Member, Okta};

use crate::cli::{Action, OktaArguments};
use crate::secret;

/// The integration together with the people that it is for.
struct Admin {
    okta: Okta,
    directory: Directory,
    printed: usize,
}

pub(crate) async fn run(arguments: OktaArguments) -> anyhow::Result<()> {
    let token = match (arguments.token, &arguments.token_file) {
        (Some(token), _) => token,
        (None, Some(file)) => secret(file)?,
        (None, None) => bail!("give the token by --token or --token-file"),
    };
    let directory = match &arguments.data {
        Some(folder) => Directory::load_or_demo(folder)?,
        None => Directory::demo(),
    };
    let okta = Okta::new(&arguments.base_url, &token, arguments.style.into())?;
    let mut admin = Admin { okta, directory, printed: 0 };
    let outcome = admin.act(arguments.action).await;
    admin.print_exchanges();
    if let Some(folder) = &arguments.data {
        admin.directory.save(folder)?;
    }
    outcome
}

impl Admin {
    async fn act(&mut self, action: Action) -> anyhow::Result<()> {
        match action {
            Action::Test => self.test().await,
            Action::Push { user } => self.push(&user).await,
            Action::Update { user, set } => self.update(&user, &set).await,
            Action::Deactivate { user } => self.deactivate(&user).await,
            Action::Reactivate { user } => self.reactivate(&user).await,
            Action::Import => self.import().await,
            Action::PushGroup { group, members } => self.push_group(&group, &members).await,
            Action::RemoveMember { group, user } => self.remove_member(&group, &user).await,
            Action::All => self.all().await,
        }
    }

    async fn all(&mut self) -> anyhow::Result<()> {
        let names: Vec<String> = self.directory.users.iter().take(2).map(|user| user.user_name.clone()).collect();
        let [first, second] = names.as_slice() else { bail!("the directory needs two people") };
        self.test().await?;
        self.push(first).await?;
        self.push(second).await?;
        self.update(second, &[("role".to_owned(), "DEVELOPER".to_owned())]).await?;
        self.deactivate(second).await?;
        self.reactivate(second).await?;
        self.import().await?;
        self.push_group("Engineering", &names).await?;
        self.remove_member("Engineering", second).await
    }

    async fn test(&mut self) -> anyhow::Result<()> {
        let outcome = self.okta.test_connection().await;
        self.conclude("The connection was tested: Okta would save it.", outcome)
    }

    async fn push(&mut self, name: &str) -> anyhow::Result<()> {
        if self.directory.find(name).is_none() {
            self.directory.users.push(newcomer(name)?);
        }
        let user = self.user(name)?;
        let outcome = self.okta.push_user(&user).await;
        self.settle(name, Status::Assigned, outcome.is_ok());
        let said = format!("{} was assigned.", user.display_name());
        self.conclude(&said, outcome.map(|_| ()))
    }

    async fn update(&mut self, name: &str, changes: &[(String, String)]) -> anyhow::Result<()> {
        let mut changed = self.user(name)?;
        for (field, value) in changes {
            changed.set(field, value);
        }
        let outcome = self.okta.update_user(&changed).await;
        let said = format!("{}'s profile was sent.", changed.display_name());
        if let Some(user) = self.directory.find_mut(name) {
            *user = changed;
        }
        self.conclude(&said, outcome)
    }

    async fn deactivate(&mut self, name: &str) -> anyhow::Result<()> {
        let user = self.user(name)?;
        let outcome = self.okta.deactivate(&user).await;
        self.settle(name, Status::Deactivated, outcome.is_ok());
        self.conclude(&format!("{} was deactivated.", user.display_name()), outcome)
    }

    async fn reactivate(&mut self, name: &str) -> anyhow::Result<()> {
        let user = self.user(name)?;
        let outcome = self.okta.reactivate(&user).await;
        self.settle(name, Status::Assigned, outcome.is_ok());
        self.conclude(&format!("{} was reactivated.", user.display_name()), outcome)
    }

    async fn import(&mut self) -> anyhow::Result<()> {
        let users = self.okta.import_users().await;
        let users = self.said(users)?;
        let groups = self.okta.import_groups().await;
        let groups = self.said(groups)?;
        // Okta offers only active users for import.
        let active = users.iter().filter(|user| user["active"] == true).count();
        let said = format!("{} users ({active} importable) and {} groups were read.", users.len(), groups.len());
        self.conclude(&said, Ok(()))
    }

    async fn push_group(&mut self, group: &str, names: &[String]) -> anyhow::Result<()> {
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            members.push(self.member(name).await?);
        }
        let outcome = self.okta.push_group(group, &members).await;
        let said = format!("Group {group} was pushed with {} members.", members.len());
        self.conclude(&said, outcome.map(|_| ()))
    }

    async fn remove_member(&mut self, group: &str, name: &str) -> anyhow::Result<()> {
        let leaving = self.member(name).await?;
        let groups = self.okta.import_groups().await;
        let groups = self.said(groups)?;
        let found = groups.iter().find(|candidate| candidate["displayName"] == group);
        let found = found.with_context(|| format!("the server has no group {group}; push it first"))?;
        let id = found["id"].as_str().context("the group has no id")?.to_owned();
        let staying: Vec<Member> = found["members"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|member| member["value"].as_str())
            .filter(|member| *member != leaving.id)
            .map(|member| Member { id: member.to_owned(), display: self.login_of(member) })
            .collect();
        let outcome = self.okta.change_members(&id, group, std::slice::from_ref(&leaving), &[], &staying).await;
        self.conclude(&format!("{} was taken out of {group}.", leaving.display), outcome)
    }

    async fn member(&mut self, name: &str) -> anyhow::Result<Member> {
        let user = self.user(name)?;
        let id = self.okta.find_user(&user).await;
        let id = self.said(id)?.with_context(|| format!("{name} was never pushed"))?;
        Ok(Member { id, display: user.user_name })
    }

    fn login_of(&self, remote_id: &str) -> String {
        let known = self.directory.users.iter().find(|user| self.okta.remote_id(user) == Some(remote_id));
        known.map(|user| user.user_name.clone()).unwrap_or_default()
    }

    fn user(&self, name: &str) -> anyhow::Result<DirectoryUser> {
        self.directory.find(name).cloned().with_context(|| format!("nobody in the directory is called {name}"))
    }

    fn settle(&mut self, name: &str, status: Status, succeeded: bool) {
        let Some(user) = self.directory.find_mut(name).filter(|_| succeeded) else { return };
        user.status = status;
        user.remote_id = self.okta.remote_id(user).map(str::to_owned);
    }

    fn said<T>(&mut self, outcome: Result<T, Failure>) -> anyhow::Result<T> {
        self.print_exchanges();
        Ok(outcome?)
    }

    fn conclude(&mut self, sentence: &str, outcome: Result<(), Failure>) -> anyhow::Result<()> {
        self.said(outcome)?;
        println!("{sentence}\n");
        Ok(())
    }

    fn print_exchanges(&mut self) {
        for exchange in &self.okta.exchanges[self.printed..] {
            println!("{exchange}");
        }
        self.printed = self.okta.exchanges.len();
    }
}

/// Somebody who is known by address only: `jo.doe@x` becomes Jo Doe.
fn newcomer(address: &str) -> anyhow::Result<DirectoryUser> {
    let (local, _) = address.split_once('@').with_context(|| format!("{address} is not an e-mail address"))?;
    let mut words = local.split(['.', '-', '_']).filter(|word| !word.is_empty()).map(capitalized);
    let first = words.next().unwrap_or_else(|| "New".to_owned());
    let last = words.next().unwrap_or_else(|| "User".to_owned());
    Ok(DirectoryUser::new(address, &first, &last))
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newcomers_get_names_from_their_address() {
        let cases = [("jo.doe@x.test", "Jo Doe"), ("jo@x.test", "Jo User"), ("élan_b@x.test", "Élan B")];
        for (address, name) in cases {
            assert_eq!(newcomer(address).expect(address).display_name(), name);
        }
        assert!(newcomer("jo").is_err());
    }
}
