//! Pages of groups with all their members, piece by piece: a group of 100,000 never is in memory at once.

use super::{
    answer::Pieces,
    call::{Directory, ScimCall, Work},
    groups,
    search::{self, Prepared},
};
use crate::error::Error;
use ::scim::{
    group::{MemberKind, MemberView},
    list::{self, ListQuery, Projection},
};
use domain::ids::GroupId;
use serde_json::{Value, json};
use std::{collections::VecDeque, sync::Arc};
use store::{
    groups::Group,
    members::{self, Member},
    search::{Search, Start, count_groups, groups as find},
};
use uuid::Uuid;

/// Groups of one piece.
const PIECE: usize = 50;

/// Members of one piece, and of each group that is read with others.
const MEMBERS: usize = 1_000;

/// Bytes after which a piece ends.
const LARGE: usize = 262_144;

/// What is left of a page.
pub struct GroupList {
    directory: Arc<Directory>,
    /// The request's own transaction, until the first piece is made.
    work: Option<Work>,
    projection: Projection,
    /// `None` for a single group.
    page: Option<Page>,
    /// Groups that were read and are not shown yet, with their first members.
    ready: VecDeque<(Group, Option<Vec<Member>>)>,
    /// The group in the middle of which the last piece ended, and its last member shown.
    open: Option<(GroupId, Member)>,
    shown: usize,
    done: bool,
}

struct Page {
    search: Search,
    start: Start,
    cursor: Option<u64>,
    narrow: bool,
    left: usize,
    /// Whether groups follow those that are ready.
    more: bool,
    begun: bool,
}

impl GroupList {
    /// Prepares the page that a query asks for.
    pub async fn new(call: ScimCall, query: ListQuery) -> Result<Self, Error> {
        let mut work = call.work;
        let Prepared { search, start, cursor, narrow } =
            search::prepare(&mut work, search::Resource::Group, &query).await?;
        let page = Page { search, start, cursor, narrow, left: query.count, more: true, begun: false };
        Ok(Self::of(work, query.projection, Some(page), VecDeque::new()))
    }

    fn of(
        work: Work,
        projection: Projection,
        page: Option<Page>,
        ready: VecDeque<(Group, Option<Vec<Member>>)>,
    ) -> Self {
        let directory = Arc::clone(&work.directory);
        Self { directory, work: Some(work), projection, page, ready, open: None, shown: 0, done: false }
    }

    /// Reads the next groups of the page; answers what stands in front of them.
    async fn read(&mut self, work: &mut Work) -> Result<String, Error> {
        let Some(page) = &mut self.page else { return Ok(String::new()) };
        let wanted = page.left.min(PIECE);
        // One more than is shown tells whether there is a next page.
        let limit = i64::try_from(wanted + 1).unwrap_or(i64::MAX);
        let mut found =
            if wanted == 0 { Vec::new() } else { find(&mut work.tx, &page.search, &page.start, limit).await? };
        let mut opening = String::new();
        if !page.begun {
            page.begun = true;
            opening = page.opening(work, found.len(), wanted).await?;
        }
        page.more = found.len() > wanted;
        found.truncate(wanted);
        page.left -= found.len();
        if let Some(last) = found.last() {
            page.start = Start::After(last.place.clone());
        }
        let groups: Vec<Group> = found.into_iter().map(|found| found.resource).collect();
        self.ready = with_members(work, groups, &self.projection).await?;
        Ok(opening)
    }

    /// Shows a group; a large one stays open.
    fn show(&mut self, work: &Work, piece: &mut String, group: &Group, members: Option<Vec<Member>>) {
        if self.shown > 0 {
            piece.push(',');
        }
        self.shown += 1;
        let head = groups::head(work, group, &self.projection).to_string();
        let Some(mut members) = members else {
            piece.push_str(&head);
            return;
        };
        let large = members.len() > MEMBERS;
        members.truncate(MEMBERS);
        // A resource always has its id, so a comma has something to follow.
        piece.push_str(head.strip_suffix('}').unwrap_or(&head));
        piece.push_str(",\"members\":[");
        piece.push_str(&items(work, &members, &self.projection));
        match members.last() {
            Some(last) if large => self.open = Some((group.id, *last)),
            _ => piece.push_str("]}"),
        }
    }

    /// More members of the group that is open.
    async fn go_on(&mut self, work: &mut Work, piece: &mut String) -> Result<(), Error> {
        let Some((group, last)) = self.open else { return Ok(()) };
        let limit = i64::try_from(MEMBERS).unwrap_or(i64::MAX);
        let more = members::page(&mut work.tx, group, Some(last), limit).await?;
        if let Some(last) = more.last() {
            piece.push(',');
            piece.push_str(&items(work, &more, &self.projection));
            self.open = Some((group, *last));
        }
        if more.len() < MEMBERS {
            piece.push_str("]}");
            self.open = None;
        }
        Ok(())
    }
}

impl Pieces for GroupList {
    async fn next(&mut self) -> Result<Option<String>, Error> {
        if self.done {
            return Ok(None);
        }
        let mut work = match self.work.take() {
            Some(work) => work,
            None => search::go_on(&self.directory, self.page.as_ref().is_none_or(|page| page.narrow)).await?,
        };
        let mut piece = String::new();
        self.go_on(&mut work, &mut piece).await?;
        if self.open.is_none() && self.ready.is_empty() && self.page.as_ref().is_some_and(|page| page.more) {
            piece.push_str(&self.read(&mut work).await?);
        }
        while self.open.is_none()
            && piece.len() < LARGE
            && let Some((group, members)) = self.ready.pop_front()
        {
            self.show(&work, &mut piece, &group, members);
        }
        let finished = self.open.is_none()
            && self.ready.is_empty()
            && self.page.as_ref().is_none_or(|page| !page.more || page.left == 0);
        if finished {
            self.done = true;
            if let Some(page) = &self.page {
                piece.push_str(&list::closing(self.shown, page.next_cursor().as_deref()));
            }
        }
        Ok(Some(piece))
    }
}

impl Page {
    /// The exact total is counted only when the page does not tell it; cursors need none (RFC 9865).
    async fn opening(&self, work: &mut Work, found: usize, wanted: usize) -> Result<String, Error> {
        let Start::Offset(offset) = self.start else { return Ok(list::opening(None, None)) };
        if self.cursor.is_some() {
            return Ok(list::opening(None, None));
        }
        let count = i64::try_from(found).unwrap_or(i64::MAX);
        let total = if wanted > 0 && found <= wanted && (found > 0 || offset == 0) {
            offset.saturating_add(count)
        } else {
            count_groups(&mut work.tx, &self.search).await?
        };
        Ok(list::opening(Some(total), Some(offset.saturating_add(1))))
    }

    fn next_cursor(&self) -> Option<String> {
        match (self.cursor, &self.start) {
            (Some(query), Start::After(place)) if self.more => Some(search::cursor(query, place)),
            _ => None,
        }
    }
}

/// A single group with all its members.
pub fn one(work: Work, group: Group, projection: Projection) -> SingleGroup {
    SingleGroup { group: Some(group), list: GroupList::of(work, projection, None, VecDeque::new()) }
}

/// A single group on its way.
pub struct SingleGroup {
    group: Option<Group>,
    list: GroupList,
}

impl Pieces for SingleGroup {
    async fn next(&mut self) -> Result<Option<String>, Error> {
        if let (Some(group), Some(work)) = (self.group.take(), &mut self.list.work) {
            self.list.ready = with_members(work, vec![group], &self.list.projection).await?;
        }
        self.list.next().await
    }
}

/// A group with its members, or without them when there are more than `most`.
pub async fn whole(work: &mut Work, group: &Group, projection: &Projection, most: usize) -> Result<Value, Error> {
    let mut shown = groups::head(work, group, projection);
    if projection.excludes("members") {
        return Ok(shown);
    }
    let limit = i64::try_from(most + 1).unwrap_or(i64::MAX);
    let members = members::page(&mut work.tx, group.id, None, limit).await?;
    if members.len() <= most {
        shown["members"] = views(work, &members, projection);
    }
    Ok(shown)
}

async fn with_members(
    work: &mut Work,
    groups: Vec<Group>,
    projection: &Projection,
) -> Result<VecDeque<(Group, Option<Vec<Member>>)>, Error> {
    if projection.excludes("members") {
        return Ok(groups.into_iter().map(|group| (group, None)).collect());
    }
    let ids: Vec<Uuid> = groups.iter().map(|group| group.id.0).collect();
    let limit = i64::try_from(MEMBERS + 1).unwrap_or(i64::MAX);
    let all = members::of_groups(&mut work.tx, &ids, limit).await?;
    // Sorted by group, so a group's members are one run.
    let of = |group: &Group| {
        let start = all.partition_point(|(of, _)| *of < group.id);
        all[start..].iter().take_while(|(of, _)| *of == group.id).map(|(_, member)| *member).collect()
    };
    Ok(groups
        .into_iter()
        .map(|group| {
            let members = of(&group);
            (group, Some(members))
        })
        .collect())
}

/// Members as a list, with the parts that the client asked for.
fn views(work: &Work, members: &[Member], projection: &Projection) -> Value {
    let shown: Value = members.iter().map(|member| view(&work.base_url, *member).to_json()).collect();
    let mut projected = projection.apply(json!({ "members": shown }), work.catalogue().group());
    projected["members"].take()
}

/// The same as text, without the brackets around.
fn items(work: &Work, members: &[Member], projection: &Projection) -> String {
    let list = views(work, members, projection).to_string();
    list.strip_prefix('[').and_then(|list| list.strip_suffix(']')).unwrap_or_default().to_owned()
}

fn view(base_url: &str, member: Member) -> MemberView {
    match member {
        Member::Account(id) => {
            MemberView { value: id.to_string(), kind: MemberKind::User, location: format!("{base_url}/Users/{id}") }
        }
        Member::Group(id) => {
            MemberView { value: id.to_string(), kind: MemberKind::Group, location: format!("{base_url}/Groups/{id}") }
        }
    }
}
