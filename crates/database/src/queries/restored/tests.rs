use proptest::prelude::*;

use super::*;

fn id(number: u8) -> Uuid {
    Uuid::from_u128(number.into())
}

/// Few ids, so that both sides share some.
fn contents() -> impl Strategy<Value = Contents> {
    let role = prop::sample::select(vec![Role::Viewer, Role::Editor, Role::Owner]);
    let ids = || prop::collection::hash_set(0_u8..6, 0..6);
    let pairs = prop::collection::hash_set((0_u8..6, 0_u8..6), 0..12);
    let triples = prop::collection::hash_set((0_u8..6, 0_u8..6, 0_u8..6), 0..24);
    (prop::collection::hash_map(0_u8..6, role, 0..6), ids(), ids(), pairs, triples).prop_map(
        |(members, invitations, projects, mut manuscripts, mut analyses)| {
            manuscripts.retain(|(project, _)| projects.contains(project));
            analyses.retain(|(project, manuscript, _)| manuscripts.contains(&(*project, *manuscript)));
            let (project, manuscript) =
                (|p| ProjectId::from_uuid(id(p)), |m: u8| ManuscriptId::from_uuid(id(m)));
            Contents {
                members: members
                    .into_iter()
                    .map(|(user, role)| (UserId::from_uuid(id(user)), role))
                    .collect(),
                invitations: invitations.into_iter().map(|it| InvitationId::from_uuid(id(it))).collect(),
                manuscripts: manuscripts.into_iter().map(|(p, m)| (project(p), manuscript(m))).collect(),
                analyses: analyses
                    .into_iter()
                    .map(|(p, m, a)| (project(p), manuscript(m), AnalysisId::from_uuid(id(a))))
                    .collect(),
                projects: projects.into_iter().map(project).collect(),
            }
        },
    )
}

/// Does what the workspace does, where what is deleted takes with it what it holds.
fn take(mut from: Contents, taken: &TakenAway) -> Contents {
    for (user, role) in &taken.roles {
        assert!(from.members.insert(*user, *role).is_some());
    }
    assert!(taken.members.iter().all(|user| from.members.remove(user).is_some()));
    assert!(taken.invitations.iter().all(|invitation| from.invitations.remove(invitation)));
    for analysis in &taken.analyses {
        let before = from.analyses.len();
        from.analyses.retain(|(project, _, id)| (*project, *id) != *analysis);
        assert!(from.analyses.len() < before);
    }
    for (project, manuscript) in &taken.manuscripts {
        assert!(from.manuscripts.remove(&(*project, *manuscript)));
        from.analyses.retain(|(p, m, _)| (p, m) != (project, manuscript));
    }
    for project in &taken.projects {
        assert!(from.projects.remove(project));
        from.manuscripts.retain(|(p, _)| p != project);
        from.analyses.retain(|(p, ..)| p != project);
    }
    from
}

proptest! {
    /// Analyses that differ by their manuscript alone do not occur: an analysis's id is new.
    #[test]
    fn what_is_left_is_what_both_have_and_nobody_keeps_another_role(restored in contents(), replaced in contents()) {
        let unique = |contents: &mut Contents| {
            let mut seen = HashSet::new();
            let mut all: Vec<_> = contents.analyses.drain().collect();
            all.sort_unstable();
            contents.analyses = all.into_iter().filter(|(.., analysis)| seen.insert(*analysis)).collect();
        };
        let (mut restored, mut replaced) = (restored, replaced);
        unique(&mut restored);
        unique(&mut replaced);
        let taken = TakenAway::between(&restored, &replaced);
        let left = take(restored.clone(), &taken);
        let members = restored.members.keys().filter_map(|user| Some((*user, *replaced.members.get(user)?)));
        prop_assert_eq!(&left.members, &members.collect::<HashMap<_, _>>());
        prop_assert_eq!(&left.invitations, &(&restored.invitations & &replaced.invitations));
        prop_assert_eq!(&left.projects, &(&restored.projects & &replaced.projects));
        prop_assert_eq!(&left.manuscripts, &(&restored.manuscripts & &replaced.manuscripts));
        prop_assert_eq!(&left.analyses, &(&restored.analyses & &replaced.analyses));
        prop_assert_eq!(TakenAway::between(&left, &replaced), TakenAway::default(), "once is enough");
        let rises = |(user, now): &(UserId, Role)| restored.members[user] < *now;
        prop_assert!(taken.roles.is_sorted_by_key(|change| !rises(change)), "owners first");
    }
}
