//! `gatehouse-sim okta` and its like: one action of an identity provider's admin, each exchange printed.

use anyhow::{Context, bail};
use simulator::client::dialect::Dialect;
use simulator::client::{Client, Failure, Member};
use simulator::directory::{Directory, DirectoryUser, Status};
use simulator::okta::Style;

use crate::cli::{Action, OktaAction, Target};
use crate::secret;

/// A group that the server has, with the members that it shows.
struct RemoteGroup {
    id: String,
    members: Vec<Member>,
}

/// The connection together with the people that it is for.
pub(crate) struct Admin<D> {
    client: Client<D>,
    directory: Directory,
    printed: usize,
}

/// One action in a dialect that has no others than the common ones.
pub(crate) async fn run<D: Dialect>(target: &Target, dialect: D, action: Action) -> anyhow::Result<()> {
    let mut admin = Admin::new(target, dialect)?;
    let outcome = admin.act(action).await;
    admin.finish(target, outcome)
}

/// One action of Okta's.
pub(crate) async fn run_okta(target: &Target, style: Style, action: OktaAction) -> anyhow::Result<()> {
    let mut admin = Admin::new(target, style)?;
    let outcome = admin.act_as_okta(action).await;
    admin.finish(target, outcome)
}

impl Admin<Style> {
    async fn act_as_okta(&mut self, action: OktaAction) -> anyhow::Result<()> {
        match action {
            OktaAction::Common(Action::All) => {
                self.all().await?;
                self.import().await
            }
            OktaAction::Common(action) => self.act(action).await,
            OktaAction::Import => self.import().await,
            OktaAction::LinkGroup { group, members } => {
                let members = self.members(&members).await?;
                let outcome = self.client.link_group(&group, &members).await;
                self.conclude(&format!("Group {group} was linked."), outcome.map(|_| ()))
            }
            OktaAction::UnlinkGroup { group, leave: true } => {
                self.conclude(&format!("Group {group} was unlinked; Okta tells the app nothing."), Ok(()))
            }
            OktaAction::UnlinkGroup { group, leave: false } => self.delete_group(&group).await,
            OktaAction::Password { user, password } => {
                let user = self.user(&user)?;
                let outcome = self.client.change_password(&user, &password).await;
                self.conclude(&format!("{}'s password was sent.", user.display_name()), outcome)
            }
        }
    }

    async fn import(&mut self) -> anyhow::Result<()> {
        let users = self.client.import_users().await;
        let users = self.said(users)?;
        let groups = self.client.import_groups().await;
        let groups = self.said(groups)?;
        // Okta offers only active users for import.
        let active = users.iter().filter(|user| user["active"] == true).count();
        let said = format!("{} users ({active} importable) and {} groups were read.", users.len(), groups.len());
        self.conclude(&said, Ok(()))
    }
}

impl<D: Dialect> Admin<D> {
    fn new(target: &Target, dialect: D) -> anyhow::Result<Self> {
        let token = match (&target.token, &target.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(file)) => secret(file)?,
            (None, None) => bail!("give the token by --token or --token-file"),
        };
        let directory = match &target.data {
            Some(folder) => Directory::load_or_demo(folder)?,
            None => Directory::demo(),
        };
        Ok(Self { client: Client::new(&target.base_url, &token, dialect)?, directory, printed: 0 })
    }

    fn finish(mut self, target: &Target, outcome: anyhow::Result<()>) -> anyhow::Result<()> {
        self.print_exchanges();
        if let Some(folder) = &target.data {
            self.directory.save(folder)?;
        }
        outcome
    }

    async fn act(&mut self, action: Action) -> anyhow::Result<()> {
        match action {
            Action::Test => self.test().await,
            Action::Push { user } => self.push(&user).await,
            Action::Update { user, set } => self.update(&user, &set).await,
            Action::Deactivate { user } => self.deactivate(&user).await,
            Action::Reactivate { user } => self.reactivate(&user).await,
            Action::Delete { user } => self.delete(&user).await,
            Action::PushGroup { group, members } => self.push_group(&group, &members).await,
            Action::RenameGroup { group, name } => self.rename_group(&group, &name).await,
            Action::AddMember { group, user } => self.add_member(&group, &user).await,
            Action::RemoveMember { group, user } => self.remove_member(&group, &user).await,
            Action::DeleteGroup { group } => self.delete_group(&group).await,
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
        self.push_group("Engineering", &names).await?;
        self.remove_member("Engineering", second).await?;
        self.add_member("Engineering", second).await?;
        self.rename_group("Engineering", "Platform").await
    }

    async fn test(&mut self) -> anyhow::Result<()> {
        let outcome = self.client.test_connection().await;
        self.conclude(&format!("The connection was tested: {} would save it.", D::NAME), outcome)
    }

    async fn push(&mut self, name: &str) -> anyhow::Result<()> {
        if self.directory.find(name).is_none() {
            self.directory.users.push(newcomer(name)?);
        }
        let user = self.user(name)?;
        let outcome = self.client.push_user(&user).await;
        self.settle(name, Status::Assigned, outcome.is_ok());
        let said = format!("{} was assigned.", user.display_name());
        self.conclude(&said, outcome.map(|_| ()))
    }

    async fn update(&mut self, name: &str, changes: &[(String, String)]) -> anyhow::Result<()> {
        let mut changed = self.user(name)?;
        for (field, value) in changes {
            changed.set(field, value);
        }
        let outcome = self.client.update_user(&changed).await;
        let said = format!("{}'s profile was sent.", changed.display_name());
        if let Some(user) = self.directory.find_mut(name) {
            *user = changed;
        }
        self.conclude(&said, outcome)
    }

    async fn deactivate(&mut self, name: &str) -> anyhow::Result<()> {
        let user = self.user(name)?;
        let outcome = self.client.deactivate(&user).await;
        self.settle(name, Status::Deactivated, outcome.is_ok());
        self.conclude(&format!("{} was deactivated.", user.display_name()), outcome)
    }

    async fn reactivate(&mut self, name: &str) -> anyhow::Result<()> {
        let user = self.user(name)?;
        let outcome = self.client.reactivate(&user).await;
        self.settle(name, Status::Assigned, outcome.is_ok());
        self.conclude(&format!("{} was reactivated.", user.display_name()), outcome)
    }

    async fn delete(&mut self, name: &str) -> anyhow::Result<()> {
        let user = self.user(name)?;
        let outcome = self.client.delete_user(&user).await;
        if let Some(user) = self.directory.find_mut(name).filter(|_| outcome.is_ok()) {
            (user.status, user.remote_id) = (Status::Unassigned, None);
        }
        self.conclude(&format!("{} was deleted.", user.display_name()), outcome)
    }

    async fn push_group(&mut self, group: &str, names: &[String]) -> anyhow::Result<()> {
        let members = self.members(names).await?;
        let outcome = self.client.push_group(group, &members).await;
        let said = format!("Group {group} was pushed with {} members.", members.len());
        self.conclude(&said, outcome.map(|_| ()))
    }

    async fn rename_group(&mut self, group: &str, name: &str) -> anyhow::Result<()> {
        let found = self.group(group).await?;
        let outcome = self.client.rename_group(&found.id, name, &found.members).await;
        self.conclude(&format!("Group {group} was renamed to {name}."), outcome)
    }

    async fn add_member(&mut self, group: &str, name: &str) -> anyhow::Result<()> {
        let joining = self.member(name).await?;
        let found = self.group(group).await?;
        let mut all = found.members;
        all.retain(|member| member.id != joining.id);
        all.push(joining.clone());
        let outcome = self.client.change_members(&found.id, group, &[], std::slice::from_ref(&joining), &all).await;
        self.conclude(&format!("{} was put into {group}.", joining.display), outcome)
    }

    async fn remove_member(&mut self, group: &str, name: &str) -> anyhow::Result<()> {
        let leaving = self.member(name).await?;
        let found = self.group(group).await?;
        let mut staying = found.members;
        staying.retain(|member| member.id != leaving.id);
        let outcome = self.client.change_members(&found.id, group, std::slice::from_ref(&leaving), &[], &staying).await;
        self.conclude(&format!("{} was taken out of {group}.", leaving.display), outcome)
    }

    async fn delete_group(&mut self, group: &str) -> anyhow::Result<()> {
        let found = self.group(group).await?;
        let outcome = self.client.delete_group(&found.id).await;
        self.conclude(&format!("Group {group} was deleted."), outcome)
    }

    /// The real provider remembers its groups; a command has to ask for them.
    async fn group(&mut self, name: &str) -> anyhow::Result<RemoteGroup> {
        let found = self.client.find_group(name).await;
        let found = self.said(found)?.with_context(|| format!("the server has no group {name}; push it first"))?;
        let id = found["id"].as_str().context("the group has no id")?.to_owned();
        let ids = found["members"].as_array().into_iter().flatten().filter_map(|member| member["value"].as_str());
        let display = |id: &str| self.client.login_of(&self.directory, id);
        let members = ids.map(|id| Member { id: id.to_owned(), display: display(id) }).collect();
        Ok(RemoteGroup { id, members })
    }

    async fn members(&mut self, names: &[String]) -> anyhow::Result<Vec<Member>> {
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            members.push(self.member(name).await?);
        }
        Ok(members)
    }

    async fn member(&mut self, name: &str) -> anyhow::Result<Member> {
        let user = self.user(name)?;
        let id = self.client.find_user(&user).await;
        let id = self.said(id)?.with_context(|| format!("{name} was never pushed"))?;
        Ok(Member { id, display: user.user_name })
    }

    fn user(&self, name: &str) -> anyhow::Result<DirectoryUser> {
        self.directory.find(name).cloned().with_context(|| format!("nobody in the directory is called {name}"))
    }

    fn settle(&mut self, name: &str, status: Status, succeeded: bool) {
        let Some(user) = self.directory.find_mut(name).filter(|_| succeeded) else { return };
        user.status = status;
        user.remote_id = self.client.remote_id(user).map(str::to_owned);
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
        for exchange in &self.client.exchanges[self.printed..] {
            println!("{exchange}");
        }
        self.printed = self.client.exchanges.len();
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
