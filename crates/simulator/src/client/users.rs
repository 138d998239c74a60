//! A user's life, from the search to the deletion.

use reqwest::Method;
use serde_json::Value;

use super::answer::{empty_answer, expect, failure, id_of, only};
use super::dialect::{Change, Dialect, Look, Request};
use super::{Client, Failure};
use crate::directory::DirectoryUser;

impl<D: Dialect> Client<D> {
    /// The app is assigned: looks for the user, then creates or takes over; returns the server's id.
    pub async fn push_user(&mut self, user: &DirectoryUser) -> Result<String, Failure> {
        let doing = format!("creating user {}", user.display_name());
        self.probe(&doing).await?;
        let id = match self.look_up(user, &doing).await? {
            Some(found) => self.write_user(found, user, Change::TakeOver, &doing).await?,
            None => self.create_user(user, &doing).await?,
        };
        self.remote_ids.insert(user.id.clone(), id.clone());
        Ok(id)
    }

    /// The server's id of somebody, remembered or looked up; none if the server does not know them.
    pub async fn find_user(&mut self, user: &DirectoryUser) -> Result<Option<String>, Failure> {
        if let Some(id) = self.remote_id(user) {
            return Ok(Some(id.to_owned()));
        }
        let doing = format!("looking for user {}", user.display_name());
        let Some(found) = self.look_up(user, &doing).await? else { return Ok(None) };
        let id = id_of(&found, &doing)?;
        self.remote_ids.insert(user.id.clone(), id.clone());
        Ok(Some(id))
    }

    /// The profile was changed.
    pub async fn update_user(&mut self, user: &DirectoryUser) -> Result<(), Failure> {
        let doing = format!("updating user {}", user.display_name());
        self.change_known(user, Change::Profile, &doing).await
    }

    /// The app was unassigned, or the person deactivated.
    pub async fn deactivate(&mut self, user: &DirectoryUser) -> Result<(), Failure> {
        let doing = format!("deactivating user {}", user.display_name());
        self.change_known(user, Change::Deactivate, &doing).await
    }

    /// The app was assigned again: the same account is found by its name and switched on.
    pub async fn reactivate(&mut self, user: &DirectoryUser) -> Result<(), Failure> {
        let doing = format!("reactivating user {}", user.display_name());
        self.probe(&doing).await?;
        let found = self.look_up(user, &doing).await?.ok_or_else(|| gone(&doing))?;
        let id = self.write_user(found, user, Change::Reactivate, &doing).await?;
        self.remote_ids.insert(user.id.clone(), id);
        Ok(())
    }

    /// The person was deleted for good, where the provider tells the app so.
    pub async fn delete_user(&mut self, user: &DirectoryUser) -> Result<(), Failure> {
        let doing = format!("deleting user {}", user.display_name());
        if !D::DELETES_USERS {
            return Err(failure(format!("{} never deletes users. Deactivate the user instead.", D::NAME), None));
        }
        self.probe(&doing).await?;
        let id = self.known_id(user, &doing).await?;
        let answer = self.send(Request::delete(self.dialect.user(&id))).await?;
        expect(&answer, &[204, 200], &doing)?;
        self.remote_ids.remove(&user.id);
        Ok(())
    }

    async fn look_up(&mut self, user: &DirectoryUser, doing: &str) -> Result<Option<Value>, Failure> {
        let answer = self.get(self.dialect.find_user(user)).await?;
        let (_, resources) = self.judge_search(&answer, doing)?;
        only(resources, doing)
    }

    async fn known_id(&mut self, user: &DirectoryUser, doing: &str) -> Result<String, Failure> {
        let id = self.find_user(user).await?;
        id.ok_or_else(|| failure(format!("Error while {doing}: push the user first."), None))
    }

    async fn create_user(&mut self, user: &DirectoryUser, doing: &str) -> Result<String, Failure> {
        let answer = self.send(self.dialect.create_user(user)).await?;
        let created = expect(&answer, &[201], doing)?;
        let empty = || {
            let name = user.display_name();
            let sentence = format!(
                "Automatic provisioning of user {name} failed: Error while {doing}: Create new user returned empty user."
            );
            failure(sentence, Some(answer.status))
        };
        id_of(created.ok_or_else(empty)?, doing).map_err(|_| empty())
    }

    async fn change_known(&mut self, user: &DirectoryUser, change: Change, doing: &str) -> Result<(), Failure> {
        self.probe(doing).await?;
        let known = match self.dialect.look(change) {
            Look::ByMatch => self.look_up(user, doing).await?.ok_or_else(|| gone(doing))?,
            Look::ById | Look::None => serde_json::json!({ "id": self.known_id(user, doing).await? }),
        };
        self.write_user(known, user, change, doing).await.map(|_| ())
    }

    /// Writes a user of whom at least the id is known, and returns the id.
    async fn write_user(
        &mut self,
        known: Value,
        user: &DirectoryUser,
        change: Change,
        doing: &str,
    ) -> Result<String, Failure> {
        let id = id_of(&known, doing)?;
        let server = match self.dialect.look(change) {
            Look::ById => self.read_user(&id, doing).await?,
            Look::None | Look::ByMatch => known,
        };
        if matches!(change, Change::Profile | Change::TakeOver) {
            for path in self.dialect.ask(&id, user) {
                let answer = self.get(path).await?;
                self.judge_search(&answer, doing)?;
            }
        }
        for request in self.dialect.change_user(&id, &server, user, change) {
            let must_be_shown = request.method == Method::PUT && matches!(change, Change::Profile | Change::TakeOver);
            let answer = self.send(request).await?;
            let shown = expect(&answer, &[200, 204], doing)?;
            if must_be_shown && shown.is_none() {
                return Err(empty_answer(doing, answer.status));
            }
        }
        Ok(id)
    }

    async fn read_user(&mut self, id: &str, doing: &str) -> Result<Value, Failure> {
        let answer = self.get(self.dialect.user(id)).await?;
        let user = expect(&answer, &[200], doing)?;
        user.cloned().ok_or_else(|| empty_answer(doing, answer.status))
    }
}

fn gone(doing: &str) -> Failure {
    failure(format!("Error while {doing}: the server no longer has this user."), None)
}
