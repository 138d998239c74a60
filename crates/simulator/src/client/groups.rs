//! A group's life, from the search to the deletion.

use serde_json::Value;

use super::answer::{empty_answer, expect, id_of};
use super::dialect::{Dialect, Group, Request};
use super::{Client, Failure, Member};

impl<D: Dialect> Client<D> {
    /// The group is pushed: finds or creates it and sets its members; returns the server's id.
    pub async fn push_group(&mut self, name: &str, members: &[Member]) -> Result<String, Failure> {
        let outcome = self.find_or_create_and_fill(name, members).await;
        outcome.map_err(|failure| self.dialect.group_failure(name, failure))
    }

    /// The server's group of that name.
    pub async fn find_group(&mut self, name: &str) -> Result<Option<Value>, Failure> {
        let doing = format!("looking for group {name}");
        let path = self.dialect.find_group(name);
        let mut seen = 0;
        loop {
            // Only who lists all groups can get more than a page of them.
            let next = format!("{}startIndex={}", if path.contains('?') { "&" } else { "?" }, seen + 1);
            let answer = self.get(if seen == 0 { path.clone() } else { format!("{path}{next}") }).await?;
            let (total, page) = self.judge_search(&answer, &doing)?;
            let is_it = |group: &&Value| group["displayName"].as_str().is_some_and(|shown| same(shown, name));
            if let Some(found) = page.iter().find(is_it) {
                return Ok(Some(found.clone()));
            }
            seen += page.len() as u64;
            if page.is_empty() || seen >= total {
                return Ok(None);
            }
        }
    }

    /// A change of membership after the first push; `all` are the members afterwards.
    pub async fn change_members(
        &mut self,
        id: &str,
        name: &str,
        remove: &[Member],
        add: &[Member],
        all: &[Member],
    ) -> Result<(), Failure> {
        let doing = format!("updating the members of group {name}");
        let group = Group { id, name };
        self.write_group(group, self.dialect.change_members(group, remove, add, all), &doing).await
    }

    /// The group has this name from now on; `all` are its members.
    pub async fn rename_group(&mut self, id: &str, name: &str, all: &[Member]) -> Result<(), Failure> {
        let doing = format!("renaming a group to {name}");
        let group = Group { id, name };
        self.write_group(group, self.dialect.rename_group(group, all), &doing).await
    }

    /// The group was deleted, or is no longer pushed and shall go.
    pub async fn delete_group(&mut self, id: &str) -> Result<(), Failure> {
        self.probe("deleting the group").await?;
        let answer = self.send(Request::delete(self.dialect.group(id))).await?;
        expect(&answer, &[204, 200], "deleting the group").map(|_| ())
    }

    async fn find_or_create_and_fill(&mut self, name: &str, members: &[Member]) -> Result<String, Failure> {
        let doing = format!("pushing group {name}");
        self.probe(&doing).await?;
        let id = match self.find_group(name).await? {
            Some(group) => id_of(&group, &doing)?,
            None => {
                let answer = self.send(self.dialect.create_group(name)).await?;
                let created = expect(&answer, &[201], &doing)?.ok_or_else(|| empty_answer(&doing, answer.status))?;
                id_of(created, &doing)?
            }
        };
        let group = Group { id: &id, name };
        self.send_group(group, self.dialect.fill_group(group, members), &doing).await?;
        Ok(id)
    }

    async fn write_group(&mut self, group: Group<'_>, requests: Vec<Request>, doing: &str) -> Result<(), Failure> {
        self.probe(doing).await?;
        let outcome = self.send_group(group, requests, doing).await;
        outcome.map_err(|failure| self.dialect.group_failure(group.name, failure))
    }

    async fn send_group(&mut self, group: Group<'_>, requests: Vec<Request>, doing: &str) -> Result<(), Failure> {
        if let Some(path) = self.dialect.look_at_group(group.id).filter(|_| !requests.is_empty()) {
            let answer = self.get(path).await?;
            expect(&answer, &[200], doing)?;
        }
        for request in requests {
            let answer = self.send(request).await?;
            expect(&answer, &[200, 204], doing)?;
        }
        Ok(())
    }
}

fn same(shown: &str, name: &str) -> bool {
    shown.to_lowercase() == name.to_lowercase()
}
