"""Would a test notice? Changes of transfer.py that would hurt somebody, and the tests that must fail for each.

    python -m tests.mutations                 all of them, one after the other, and who survived
    python -m tests.mutations lock digest     those with one of these words in their name
    python -m tests.mutations --list          only their names
    python -m tests.mutations --why           and, of each, the first test that failed
    python -m tests.mutations --check         before that, the named tests on transfer.py as it is

A change that no test notices is a test that is missing. The changes are made to a copy of the project in a temporary
folder. All runs share one database server: the one of IMMICH_TRANSFER_TEST_DSN, else one that is started for them.

`MUTATIONS` has for each what would go wrong, then `place: effect @ files of tests: what pytest -k takes`. A place is a
function, class, method or constant; the effect is one of `EFFECTS` with a fragment of what it is about, which needs to
be so long only that the place has it once. White space in fragments stands for any. That a rule, check, fault, tie or
step is missing altogether follows from `THINGS` (missing_data).
"""

import argparse
import ast
import functools
import inspect
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import make_dsn

import transfer
from tests import postgres
from tests.test_account import TIES
from tests.test_faults import PLANTS
from tests.test_invariants import FOUND_BY, WRONG_STEPS

PROJECT = Path(__file__).resolve().parent.parent
PATIENCE = 600  # seconds for the tests of one change

# What is not copied: nothing of it is needed, and some of it is private.
LEFT_OUT = (".git", ".venv", ".*_cache", "__pycache__", ".hypothesis", ".config-*", "config.py", "transfers")

# Signs that a change is no change of behaviour but nonsense, which every test would notice.
NONSENSE = re.compile(
    r"psycopg2\.errors\.(SyntaxError|Undefined\w+|Ambiguous\w+|DatatypeMismatch|GroupingError)"
    r"|\b(NameError|SyntaxError|IndentationError|UnboundLocalError)\b"
)

MUTATIONS = r"""
a server that does not count is run on
    take_stock: say != "on" => == "" @ invariants: does_not_count
one person: both accounts stay in the albums of others
    join_albums: true "userId" = %(giver)s AND role <> 'owner' @ one_person: was_to_others
one person: the weaker role stays
    join_albums: true t.role = 'viewer' AND g."userId" = %(giver)s AND g.role = 'editor' @ one_person: was_to_others
one person: a user is a partner of itself
    _PARTNERS: true %(taker)s NOT IN (p."sharedById", p."sharedWithId") @ one_person: was_to_others
one person: likes one thing twice
    speak_as_one: true c."isLiked" @ one_person: was_to_others
one person: what two people are to others goes along, too
    step_account: say not tx.values["same_person"] => False @ one_person: two_people
one person: an undo makes members of those who have left since
    ALBUMS: say m."userId" = %(giver)s => true @ one_person: gave_up_since
one person: an undo gives partners back that have parted since
    ACCOUNTS: say is_joined("r", "taker", "giver") => "true" @ one_person: gave_up_since
one person: an undo leaves the other account the partners
    put_back_partners: skip take_back_made @ one_person: was_to_others
one person: a memory goes along of which a photo stays
    step_memories: true a."ownerId" <> %(taker)s @ one_person: was_to_others
one person: an undo gives a memory back without its photos
    MEMORIES: say b.kind = 'removed' OR => true OR @ one_person: photos_stay
one person: people are shared into another cluster group
    see_shared_people: say AND s.same_cluster => AND true @ one_person: others_share
Enter merges people whose names are only alike
    ask_merges: say accents only", "n") => accents only", "y") @ merging: only_alike
who was made by an undone run is nobody's when the next is undone
    made_by_undone: give [] @ undo_cases: common_cluster_group
account: a library that reaches into its folder by another mount is overlooked
    FILE_BELOW: say f.path !~ %(in_account)s => true @ account: never_says_yes
Enter merges people who look alike
    ask_merges: say look like these", "") => look like these", "y") @ picking_merges: looks_alike
somebody is asked about who is not the nearest of the other
    compare_faces: true near.other_place = 1 @ same_face: nearest
somebody is asked about for whom the other is not the nearest
    compare_faces: true near.place = 1 @ same_face: nearest
a face that was deleted says what somebody looks like
    compare_faces: true f."deletedAt" IS NULL @ same_face: largest
faces of somebody who is hidden are compared
    compare_faces: true NOT p."isHidden" @ same_face: looks_alike
people of two birthdays are asked about
    compare_faces: true coalesce(people."birthDate" = t."birthDate", true) @ same_face: looks_alike
a small face says as much as a large one
    compare_faces: true ranked.place <= %(largest)s @ same_face: largest
one of two who are alike is taken
    _find_merges: say theirs.count > 1 => false @ merging: only_alike
photos of others in the album are chosen too
    choose_selection: true a."ownerId" = %(giver)s @ choosing: become_the_destinations
a hidden face chooses a photo
    CONDITIONS: true f."isVisible" @ conditions: faces
the last day is left out
    CONDITIONS: say <= %(until)s => < %(until)s @ conditions: local_days
a photo that was left out goes
    judge_photos: false a.id::text = ANY @ conditions: left_out
a tag of somebody else's chooses photos
    CONDITIONS: true t."userId" = @ tag_selection: somebody_elses
everything is the photos of everybody
    choose_selection: say a."ownerId" = %(giver)s => (%(everything)s OR a."ownerId" = %(giver)s) @ everything:
        all_that_may_go
everything is the albums of everybody
    choose_selection: true o."userId" @ everything: all_that_may_go
a photo that is being deleted moves
    judge_photos: false a.status = 'deleted' AND @ choosing: may_not_move
a photo of an external library moves
    judge_photos: false e."ownerId" @ choosing: may_not_move
a photo in the trash moves
    judge_photos: false NOT c.trashed @ choosing: may_not_move
a photo in the locked folder moves
    judge_photos: say a.visibility = 'locked' AND => false AND @ choosing: may_not_move
a photo whose file is being moved changes hands
    judge_photos: false h."entityId" = a.id @ choosing: may_not_move
all libraries go although one was asked for
    choose_libraries: say unnest(%(libraries)s::uuid[]) => id FROM v_library WHERE \"ownerId\" = %(giver)s @
        libraries: only_the_libraries_that_were_asked_for
a library with photos of others is handed over
    choose_libraries: never library.others @ libraries: photos_of_others_is_refused
a library that is not the source's is handed over
    choose_libraries: never there != @ libraries: not_the_sources
the locked folder of a library stays
    libraries_go_whole: say true, locked = true => true @ libraries: goes_with_all_that_is_in_it
the other half of a library's live photo stays in the trash
    libraries_go_whole: say unit IN ( SELECT c.unit => id IN ( SELECT c.id @ libraries: half_outside
what is being deleted stops a library
    judge_photos: say AND l.id IS NULL THEN => THEN @ libraries: goes_with_all_that_is_in_it
an upload of the same file stops a library
    judge_photos: true a."libraryId" IS NULL @ libraries: goes_with_all_that_is_in_it
a library goes without a photo that must stay
    require_whole_libraries: false v.reason IS @ libraries: unfinished_file_move
a scan adds to a library while it changes hands
    lock_libraries: say UPDATE => KEY SHARE @ libraries: scan
what a scan adds for the old owner after the commit is not told
    LIBRARY_RULE: false c.id = @ libraries: after_the_commit
libraries are not in the digest of a transfer
    plan_digest: say changing_library => changing_library WHERE false @ libraries: not_shown
libraries are not in the digest of an undo
    undo_digest: say changing_library => changing_library WHERE false @ libraries: digest_of_an_undo
undo: what a scan found since does not go back with its library
    choose_libraries_back: false a."ownerId" @ libraries: found_since
undo: a library goes back in part
    choose_returning: never drop_torn_libraries(tx) @ libraries: stays_whole
undo: a library goes back although a photo in it is a third user's
    drop_torn_libraries: say (v.id IS NULL OR v.reason IS NOT NULL) => v.reason IS NOT NULL @ libraries: stays_whole
undo: a library that was handed on is taken from its owner
    choose_libraries_back: false l."ownerId" @ libraries: stays_whole
undo: a library that is being deleted goes back
    choose_libraries_back: say l."deletedAt" IS NOT NULL OR l."ownerId" => l."ownerId" @ libraries: stays_whole
a photo of an external library stops its copy
    judge_photos: say checksum AND b."libraryId" IS NULL => checksum @ choosing: may_not_move
half of a live photo stays
    live_partners_stay: say unit = stopped.unit => unit = NULL @ live_photos: blocked
photos nobody chose come along from a split stack
    nobody_comes_along_from_split_stacks: false unit IN @ stacks: whatever_blocks
whose a photo is, is not asked again after the lock
    judge_photos: say = c.id AND a."ownerId" = %(giver)s => = c.id @ meanwhile: given_to_somebody_else
a photo that the destination has is not seen
    judge_photos: true b.id IS NULL @ choosing: may_not_move
the video of a live photo stays behind
    live_partners_come_along: say candidate UNION SELECT a.id FROM candidate c JOIN v_asset a ON
        a."livePhotoVideoId" = c.unit => candidate WHERE false @ live_photos: either_part
the rest of a stack stays behind
    stack_members_come_along: false a."stackId" @ stacks: come_along
a torn stack gets another photo on top
    sort_stacks: cut a.id = s."primaryAssetId" DESC, @ stacks: blocked_member
what stays of a stack keeps a photo on top that has left
    step_stacks: false s."primaryAssetId" <> @ stacks: blocked_member
a person the destination has already is made again
    PERSON_ACTION: false kept @ people: destinations_own_people
a deleted face makes a person
    PERSON_ACTION: false faces = @ people: becomes and makes
people are merged unasked
    PERSON_ACTION: true (remembered @ merging: when_not_agreed
a person who also stays is given away
    PERSON_ACTION: cut staying = 0 AND @ people: becomes or second_time
a third user's person is given away
    GIVEN_PERSON: true holder = @ people: third_users_person
a photo in the trash becomes the cover
    mend_albums: say thing AND a."deletedAt" IS NULL => thing @ mending: becomes_the_cover
a repair leaves stacks that hold nothing
    step_stacks: say WHERE kind = 'stack' AND => WHERE false AND @ mending: mended_once
a repair of several users is not what was shown
    repair_all: skip require_digest( @ mending: changes_meanwhile
an undo file of a repair that failed stays
    in_transaction: skip name_file(path, "") @ mending: full_disk
a stack gets a primary back that belongs to somebody else since
    PRIMARY_RULE: cut , {_APART} @ mending: in_part
a picture comes back although its face was deleted since
    FEATURED_RULE: cut , {_UNSEEN} @ mending: face_is_gone
a repair takes a photo out of a partner's memory and link
    leave_alone: say kind in HOLDERS => False @ mending: partner_may
groups of duplicates of two users stay
    step_duplicates: false "duplicateId" IN (SELECT thing @ mending: mended_once
a repair takes people within a cluster group
    GIVEN_PERSON: say WHERE => WHERE false AND @ cluster_groups: shares_back
a merged person's row stays, nameless faces and all
    PERSON_LEAVER: say faces > 0 AND staying = 0 AND holder <> %(taker)s AND {GIVEN_PERSON} => false @ merging:
        emptied_person_goes
deleted faces count as faces
    gather_people: say FILTER (WHERE NOT f.deleted) AS => AS @ people: becomes and makes
a deleted face that stays keeps a person who has left
    step_people: false a."ownerId" = p.leaver @ cluster_groups: deleted_face
a deleted face of a third user keeps a person who is no more
    step_people: false (p.leaver IS NOT NULL AND @ people: becomes and deleted
people of different birth dates are merged
    _find_merges: false people."birthDate" <> @ merging: in_doubt
hidden people are merged with others
    _find_merges: false people."isHidden" <> @ merging: in_doubt
of two namesakes one is taken
    _find_merges: say theirs.count > 1 => false @ merging: in_doubt
a featured photo may be somebody else's
    SHOWS: true a."ownerId" @ featured: somebody_elses_photo
a featured face may be hidden
    SHOWS: true f."isVisible" @ featured: no_face_can_be_shown
a featured face may be deleted
    SHOWS: true f."deletedAt" IS NULL @ featured: a_deleted_face_is_not_featured
the destination's own memories lose their photos
    held_by_others: true o."{owner}" @ memories_links tags: destinations_own
the destination's photos get somebody else's tag
    step_tags: true mine."userId" = %(taker)s @ tags: nested_tag
a tag is not found by search
    step_tags: false above.id = w.id @ tags: lacks_its_closure
a new tag is not found under those above it
    step_tags: false starts_with(w.value, above.value @ tags: nested_tag
a memory goes although photos are left in it
    step_memories: cut WHERE NOT EXISTS (SELECT FROM v_memory_asset ma WHERE ma."memoriesId" = l."memoriesId") @
        memories_links: photos_that_stay
a third user's link is given to the destination
    step_shared_links: cut l."userId" = coalesce(%(giver)s::uuid, l."userId") AND @ memories_links: third_users
a link with photos that stay goes along
    step_shared_links: false a."ownerId" <> %(taker)s @ memories_links: with_photos_that_stay
moved photos stay in their group of duplicates
    step_duplicates: say AS "duplicateId" FROM duplicate_losing => AS "duplicateId" FROM duplicate_losing WHERE false
        @ duplicate_groups: leave_their_group
a lone photo stays a group of duplicates
    step_duplicates: say 1 => 0 @ duplicate_groups: left_alone_leaves
duplicates are not looked for again
    detect_again: false j."duplicatesDetectedAt" @ duplicate_groups: leave_their_group
copies from the locked folder join an album
    choose_copies: say NULL AND b.visibility IN ('timeline', 'archive') => NULL @ hand_over: destinations_copy_joins
copies join for what the source had thrown away
    choose_copies: say = l.id AND a."deletedAt" IS NULL => = l.id @ everything: had_thrown_away
an album has two owners for a moment
    hand_over_albums: say demote_owners(tx) add(tx, "album_user", ("albumId", "userId", "role"), "SELECT id,
        %(taker)s::uuid, 'owner' FROM changing_album") => add(tx, "album_user", ("albumId", "userId", "role"), "SELECT
        id, %(taker)s::uuid, 'owner' FROM changing_album"); demote_owners(tx) @ hand_over: four_choices
undo: an album has two owners for a moment
    put_back_albums: say demote_owners(tx) run(tx, "UPDATE owner_row SET role = 'owner'") add(tx, "album_user", columns,
        f"SELECT {_list('r', columns)} FROM owner_row r") => run(tx, "UPDATE owner_row SET role = 'owner'"); add(tx,
        "album_user", columns, f"SELECT {_list('r', columns)} FROM owner_row r"); demote_owners(tx) @
        hand_over: four_choices
an album that is not the source's is handed over
    choose_selection: cut o."userId" = %(giver)s AND @ hand_over: not_the_sources_any_more
a member who becomes the owner stays a member
    hand_over_albums: false u."userId" = %(taker)s @ hand_over: four_choices
who gives up an album stays in it
    hand_over_albums: false u."userId" = %(giver)s @ hand_over: four_choices
links to an album stay the former owner's
    step_albums: say c.id = l."albumId" WHERE l."userId" = %(giver)s => c.id = l."albumId" WHERE false @
        hand_over: four_choices
libraries' photos count for the quota
    _COUNTED: true a."libraryId" @ libraries: goes_with_all
phones of partners are not reset
    reset_apps: cut UNION SELECT "sharedWithId" FROM v_partner WHERE "sharedById" IN (SELECT id FROM pair) @ phones:
        both_users
phones of members are not reset
    reset_apps: cut UNION SELECT "userId" FROM v_album_user WHERE "albumId" IN (SELECT id FROM concerned_album) @
        phones: both_users
phones of those who lose a picture are not reset
    reset_apps: say (key ->> 'ownerId')::uuid => NULL @ phones featured: third_user_whose_picture
photos are not locked
    judge_photos: cut FOR NO KEY UPDATE OF a @ meanwhile: looked_at
who adds a file or a face to a photo waits
    judge_photos: say FOR NO KEY UPDATE OF a => FOR UPDATE OF a @ meanwhile: nobody_waits
a run is blamed for what others add
    run_checks: say f"{new_trouble(kind, CHECKS[kind])} AND NOT {BY_OTHERS_SINCE}" => new_trouble(kind, CHECKS[kind]) @
        meanwhile: nobody_waits
what this run itself wrote is put down to others
    BY_OTHERS_SINCE: true breach.written <> @ invariants: violation and source and tag
the locks of faces are missing
    lock_faces_and_people: cut FOR NO KEY UPDATE OF f @ meanwhile: looked_at
the locks of people are missing
    lock_faces_and_people: cut FOR NO KEY UPDATE OF p @ meanwhile: looked_at
the locks of albums that change hands are missing
    lock_albums: say ORDER BY id FOR NO KEY UPDATE => ORDER BY id @ meanwhile: looked_at
the locks of their members are missing
    lock_albums: cut FOR NO KEY UPDATE OF u @ meanwhile: looked_at
the locks of neighbours are missing
    find_neighbours: cut FOR KEY SHARE @ meanwhile: looked_at
a neighbour with a deleted face is none
    find_neighbours: false s.deleted > 0 AND @ meanwhile: looked_at
two runs at once
    in_transaction: never cursor.fetchone()[0] @ meanwhile: second_run
the digest does not know the photos
    plan_digest: say string_agg(id::text, ',' ORDER BY id) FROM run_photo => '' FROM run_photo LIMIT 1 @ meanwhile:
        what_was_shown and more
the digest does not know why photos stay
    plan_digest: say text || reason => text @ meanwhile: what_was_shown and reason
the digest does not know the albums
    plan_digest: cut id::text, ',' ORDER BY id) FROM changing_album), (SELECT string_agg( @ meanwhile:
        handed_over_unshown
the digest does not know what becomes of people
    plan_digest: say concat_ws(' ', grp, action, => concat_ws(' ', grp, @ meanwhile: what_was_shown and elsewhere
the digest is not asked
    transfer: skip require_digest( @ meanwhile: what_was_shown and trash
the digest of an undo does not know why photos stay
    undo_digest: say text || reason => text @ undo: taken_back_or and into_a_library
the digest of an undo does not know what goes back
    undo_digest: cut (SELECT string_agg(step || kind, ',' ORDER BY step, kind) FROM back), @ undo: taken_back_or and
        delete_link
the digest of an undo does not know what becomes of people
    undo_digest: say concat_ws(' ', grp, action) => grp::text @ undo: who_would_go_back
the digest of an undo is not asked
    _undo: skip require_digest( @ undo: no_longer_what_was_shown
a partner's photo in a memory counts as wrong
    _shared_by_partner: false p."sharedById" = a."ownerId" AND @ faults: partners
a picture that Immich has chosen among people whom several know counts as wrong
    _SHARED_PORTRAIT: false k."personGroupId" = f."personGroupId" AND @ faults: two_users_know
the check that a neighbour keeps its owner is missing
    PHOTOS: say USING (id, "ownerId") => USING (id) @ invariants: step_may_not
rows that go are not counted
    written_otherwise: say BY_TRIGGERS => BY_TRIGGERS and kind != 'removed' @ invariants: neighbour_that_goes or
        (violation and (vector or without or leaves or member))
rows that a change has missed are not counted
    change: skip _written(count, @ invariants: not_written
nobody looks again after the commit
    looked_again: say return total => return 0 @ meanwhile: recognition_writes
an unknown link is accepted unasked
    in_transaction: say sorted(set(tx.schema.unknown_links) - how.accepted_links) => [] @ unknown_links:
        dry_run_is_allowed
a dry run is committed
    in_transaction: say if how.dry_run: => if False: @ dry_run: two_dry_runs
a server that goes in COMMIT is believed to have rolled back
    commit: say None and not code.startswith(("57P", "08")) => None @ failing: goes_while_it_commits
a connection lost in COMMIT is believed to have rolled back
    commit: say not None and => None or @ failing: connection_lost
a file of a COMMIT that is not known of is removed
    in_transaction: say committed and not isinstance(error, CommitUnknown) => committed @ killed: answer_was_lost
the undo file is not flushed
    write_journal: skip os.fsync(raw.fileno()) @ journal: complete_on_disk
the folder of undo files is not flushed
    write_journal: skip _sync_folder(folder) @ journal: complete_on_disk
the undo file counts as committed before COMMIT
    in_transaction: say commit(connection, saved, report, sample) => [name_file(path, COMMITTED) for path in
        saved]; commit(connection, saved, report, sample) @ killed: did_not_hear
the undo file stays pending after COMMIT
    in_transaction: skip name_file(path, COMMITTED) @ journal: complete_on_disk
a damaged undo file is used
    read_journal: never json.loads(last) @ journal: flipped_bit or damaged_file
an absent row says that a run is there
    something_is_there: say EXISTS (SELECT FROM v_asset a WHERE a.id = j.photo) => true @ journal: another_immich
a run is looked at while its transaction is under way
    list_past: never pending and @ journal: not_heard_of
a file of a newer version is used
    undo: never header["format"] @ journal: newer_version
a strange header is believed
    read_header: never not whole @ journal: no_run_writes
a run of before an upgrade is undone
    require_same_place: never list(header["models"]) @ undo: after_an_upgrade
photos go back to an account that was deleted
    require_same_place: skip require_active_users( @ undo_later_changes: without_one_of_the_two
what somebody changed since is put back
    find_home: cut unchanged AND @ undo_later_changes: birth_date_that_a_merge
what hangs on a photo that does not go back is put back
    find_home: true (photo @ undo_later_changes: came_home_in_another_way
what the checks object to is not left out
    leave_out: never tx.values["left_out"] @ mending: in_part or cluster_group_that
a tag that was taken off since comes back
    TAGS: say JOIN v_tag_asset ta ON ta."assetId" = r."assetId" AND ta."tagId" = now.id WHERE => WHERE @
        undo_cases: taken_off_since
nobody is spared by an undo
    spare_people: false p."ownerId" = %(giver)s @ undo_later_changes: person
a person of the run that somebody changed is removed
    remove_made_people: true NOT changed @ undo_later_changes: somebody_changed_stays
a person of the run that is on other photos is removed
    remove_made_people: true NOT in_use @ undo_later_changes: new_photo_of_a_person
a tag of the run that somebody changed is removed
    remove_made_tags: true j.unchanged @ undo_later_changes: recoloured
a tag of the run that is used is removed
    remove_made_tags: true NOT EXISTS (SELECT FROM v_tag_asset ta WHERE ta."tagId" = t.id) @ undo_later_changes:
        used_elsewhere
an album goes back that is somebody else's by now
    choose_albums_back: true h.unchanged @ hand_over: handed_on_since
a photo goes back that is uploaded again
    judge_returning: say reason = 'again' => reason = NULL @ undo_later_changes: uploaded_again
a photo that stayed and is somebody else's by now counts as home
    find_home: true o.owner = a."ownerId" @ undo_later_changes: handed_on_since_is_left_alone
a face is as wrong as before with whoever has its person now
    put_back_people: false x.kind @ undo_cases: repair_undone_without
an undo tears a stack
    judge_returning: say 'stacked' WHERE v.reason IS NULL => 'stacked' WHERE false @ undo_later_changes:
        another_photo_since_stays_whole
an undo tears a live photo
    judge_returning: say 'together' WHERE v.reason IS NULL => 'together' WHERE false @
        undo_later_changes: half_of_a_live_photo
a row that a job changed gets the new path all the same
    _change_paths: cut AND t."{column}" = m.old @ move_files: a_row_that_a_job_changed
a file that was written anew before the commit is moved
    _change_paths: cut and _is_unchanged(media, move, known) @ move_files: written_anew_before
a file of two owners moves
    _found_away: say whys = ["shared"] * (len({row[4] for row in using}) > 1) => whys: list[str] = [] @ move_files:
        cannot_move
a file of an external library moves
    _found_away: false f.external @ move_files: cannot_move
a file move of Immich's that is unfinished is run over
    _found_away: cut unfinished @ move_files: cannot_move
a symbolic link is followed
    _folder_state: say depth == 1 => True @ move_files: cannot_move
a name that rows say already is given again
    _look_at_disk: say name in used or os => os @ move_files: taken or numbered
a copy is not read again
    _copy: never _digest(new) @ move_files: reads_otherwise
a copy of an original that rotted is trusted
    _copy: never move.checksum @ move_files: has_changed_is_not_trusted
the folder of another Immich is accepted
    open_media: never tried and @ move_files: another_folder
a file by an older mount's path lies nowhere
    FILE_BELOW: say substr(f.path, strpos('/' || f.path, '/' || substring(f.path FROM %(in_folders)s))) => 'x' @
        move_files: told_as_immich_deletes
a move that broke off says that nothing was changed
    menu: say (CommitUnknown, MoveStopped) => CommitUnknown @ moving: in_the_menu
the files of a database that was restored stay where they moved to
    settle: say if now for pair => if False for pair @ move_files: follows_a_database
a photo whose name another one had since gets that one's file with an older database
    _where_now: say len(there) > 1 => len(there) > 9 @ move_files: in_turn
what an interrupted move left on the disk stays there
    settle: say reversed(begun.items() => ( @ move_files: killed_at_every_step
the second file of an interrupted copy is kept by its beginning
    _keep_one: say _begins_as(_at(media, keep), _at(media, drop)) => True @ move_files: written_anew_after
files that moved stay on Immich's report of missing ones
    forget_untracked: say "missing_file" in found => "" in found @ move_files: moved_while
files in use stay on Immich's report of untracked ones until the end
    forget_untracked: say run(tx, f"DELETE {reported} AND path = ANY (%(paths)s)", paths=paths) => 0 @ move_files:
        one_transaction
files that went missing in a move are no alarm
    moved: never after > before @ moving: alarm
what a transaction made is left to whoever gets the connection next
    in_transaction: skip drop_temporary(tx) @ pooler: one_transaction
settings outlive their transaction
    begin: say %s) => (%s OR true)) @ pooler: one_transaction
what was told as done need not be on the disk
    begin: false s.setting @ database_errors: relies
a netrc is sent to Immich
    open_api: skip session.auth @ rest: netrc
what was pasted answers the last question
    forget_typed: skip termios.tcflush(sys.stdin, @ endings: pasted
answers from a pipe make a change
    require_person: never not sys.stdin.isatty() @ endings: from_a_pipe_change_nothing
a backup that is empty counts
    back_up_database: say size > 0 and => True and @ jobs: empty_backup
a backup of yesterday counts
    back_up_database: say 0 and before.get(name) != size => 0 @ jobs: is_proven
a backup whose job failed counts
    back_up_database: say waited or queue.failed > (queues or {}).get(BACKUP_QUEUE, Queue()).failed => waited @
        jobs: is_proven
jobs count as done when their queue is empty once
    wait_for_queues: say while idle < 2 => while idle < 1 @ jobs: idle_twice
account: files in its folders are overlooked
    find_doomed: say (holder = %(user)s OR holder IS NULL) => holder IS NULL @ account: really_go
account: what breaks for others is no reason against it
    AccountCheck: cut self.count(BREAKS) or @ account: really_go
account: what is lost with it is no reason against it
    AccountCheck: cut or self.count(LOST_WITH_IT) @ account: trashed
account: people whom only it knows are overlooked in a common group
    find_doomed: false p."ownerId" @ account: common-group
account: a copy in the trash counts as a copy
    find_doomed_photos: say bool_or("deletedAt" IS NULL AND status = 'active') => true @ account: his-trash
account: half of a live photo is to be handed over for ever
    find_doomed_photos: say 'half' => state @ account: half
account: a link that an album has left behind stays with everything
    step_albums: false l."userId" = %(giver)s AND @ account: his-album
account: a photo in a library of the destination's does not come back to it
    judge_photos: true e."ownerId" @ account: his-library
account: a library is not given to whom its photos are
    libraries_listed: say NOT IN (l."ownerId", %(taker)s) => <> l."ownerId" @ account: her-library
account: in a common group a repair takes the person of whom has photos left
    gather_people: say 1 => -1 @ mending: one_cluster_group
people are remembered one way only
    remembered_people: skip pairs |= {target: @ remembered_people: come_back
others' photos keep a person with a source that has none
    gather_people: say OR others_have_row THEN => THEN @ cluster_groups: whom_others_have
a person who was shared with the destination is there twice
    decide_people: say holder) => leaver) @ cluster_groups: shared_with_the_destination
the name that the destination gave a shared person is lost
    give_people_by_group: say coalesce(nullif(o.name, ''), p.name) => p.name @ cluster_groups:
        shared_with_the_destination
the page does not escape names
    escaped: say html.escape(clean(text), quote=True) => clean(text) @ page
"""


# What is left of a thing's rule, check of what was written, fault or tie when it is missing.
MISSING = {
    "rules": "replace({}, touched=())",
    "written": "'SELECT NULL WHERE false'",
    "faults": "replace({}, query='SELECT NULL::uuid, NULL, NULL, NULL WHERE false')",
    "ties": "replace({}, query='SELECT NULL WHERE false')",
}
# Which tests notice, where no table of theirs says it.
NOTICED_BY = {
    "step account": "one_person: was_to_others",
    "step library": "libraries: goes_with_all_that_is_in_it",
    "step duplicate": "duplicate_groups",
    "rules library": "libraries: one_owner_or_all",
    "rules album owner": "invariants: not_right",
    "rules person": "invariants: not_right",
    "written external library": "libraries: one_owner_or_all",
    "written changing album": "hand_over: wrong_roles",
    "ties file": "account: really_go",
    "ties file_odd": "account: never_says_yes",
    "ties unknown": "account: nobody_knows",
}


@dataclass(frozen=True)
class Mutation:
    """One change: an effect, with a fragment of what it is about, on a place. `tests` are arguments of pytest."""

    name: str
    place: str
    effect: str
    fragment: str
    tests: list[str]


def named_tests(text: str) -> list[str]:
    """Arguments of pytest: "files: what -k takes"."""
    files, _, words = text.partition(": ")
    arguments = [f"tests/test_{file}.py" for file in files.split()]
    return arguments + (["-k", words] if words else [])


def noticed_by(field: str, kind: str) -> str:
    """The tests for a piece of a thing's data, by the tables that these tests are made of."""
    found = {name: text.removeprefix("cross-owner ") for name, text in FOUND_BY.items()}
    by_checks = [("violation", name) for name, text in found.items() if text.startswith(f"{kind}:")]
    by_checks += [("step_may_not", name) for name, entry in WRONG_STEPS.items() if entry[0].startswith(f"{kind}:")]
    if by_checks and field in ("rules", "written"):
        file, (test, name) = "invariants", by_checks[0]
    elif field == "faults":
        file, test = "faults", "is_found"
        name = next(plant.__name__[6:] for plant in PLANTS if f'"{kind}"' in inspect.getsource(plant))
    elif field == "ties":
        file, test, name = "account", "each_tie", next(name for name, tie in TIES.items() if kind in tie[1])
    else:
        return "smoke"
    return f"{file}: " + " and ".join(
        [test, *(word for word in re.findall(r"\w+", name) if word not in ("and", "or", "not"))]
    )


def missing_data() -> list[Mutation]:
    """Each rule, check, fault and tie of a thing is missing, and each step."""
    found = []

    def add(thing: transfer.Thing, what: str, code: str) -> None:
        code = f"thing = next(thing for thing in THINGS if thing.name == {thing.name!r}); {code}"
        tests = NOTICED_BY.get(what) or noticed_by(*what.split(" ", 1))
        found.append(Mutation(f"{what} is missing", "THINGS", "after", code, named_tests(tests)))

    for thing in transfer.THINGS:
        for field, left in MISSING.items():
            for kind in getattr(thing, field):
                entry = f"thing.{field}[{kind!r}]"
                add(thing, f"{field} {kind}", f"{entry} = {left.format(entry)}")
        if thing.step:
            add(thing, f"step {thing.name}", "object.__setattr__(thing, 'step', None)")
    return found


def mutations() -> list[Mutation]:
    """The table above, read, and what follows from the data of things."""
    found = []
    for name, text in re.findall(r"^(\S.*)\n((?:    .*\n)+)", MUTATIONS, re.M):
        place, effect, fragment, tests = re.fullmatch(r"(\S+): (\w+) (.*) @ (.*)", " ".join(text.split())).groups()
        found.append(Mutation(name, place, effect, fragment, named_tests(tests)))
    return found + missing_data()


# ---- changing one thing ---------------------------------------------------------------------------------------------

# Where a condition of SQL begins and ends, besides brackets and the ends of the statement.
BEFORE = {"WHERE", "AND", "OR", "ON", "WHEN", "HAVING", "THEN", "ELSE", "FILTER"}
BEHIND = {
    *("AND", "OR", "WHEN", "THEN", "ELSE", "END", "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "RETURNING", "UNION"),
    *("EXCEPT", "JOIN", "LEFT", "CROSS", "FOR", "ON", ",", ";"),
}
TOKEN = re.compile(r"""'[^']*'|"[^"]*"|\w+|\S""")


class Misfit(Exception):
    """A change that does not fit transfer.py any more, in words."""


@functools.cache
def line_starts(source: str) -> list[int]:
    """Where each line begins, and the end."""
    return list(itertools.accumulate((len(line) for line in source.splitlines(keepends=True)), initial=0))


@functools.cache
def parsed(source: str) -> ast.Module:
    """The source as a tree."""
    return ast.parse(source)


@dataclass(frozen=True)
class Place:
    """A function, class, method or constant of transfer.py: its tree, and where its text begins and ends."""

    source: str
    tree: ast.AST

    def span(self, node: ast.AST | None = None) -> tuple[int, int]:
        """Where in the source a piece of it stands."""
        node, starts = node or self.tree, line_starts(self.source)
        ends = ((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))
        start, end = (starts[line - 1] + len(self.line(line).encode()[:column].decode()) for line, column in ends)
        return start, end

    def line(self, number: int) -> str:
        """A line of the source."""
        starts = line_starts(self.source)
        return self.source[starts[number - 1] : starts[number]]

    def text(self, node: ast.AST) -> str:
        """A piece of it as it is written."""
        start, end = self.span(node)
        return self.source[start:end]

    def put(self, start: int, end: int, new: str) -> str:
        """The whole source with that between."""
        return self.source[:start] + new + self.source[end:]

    def find(self, fragment: str) -> tuple[int, int]:
        """Where a fragment stands, however it is broken into lines; it must stand there once."""
        first, last = self.span()
        pattern = r"\s+".join(re.escape(word) for word in fragment.split())
        found = [match.span() for match in re.finditer(pattern, self.source[first:last])]
        if len(found) != 1:
            raise Misfit(f"{fragment!r} is there {len(found)} times")
        return first + found[0][0], first + found[0][1]

    def smallest(self, fragment: str, nodes: Iterable[ast.AST]) -> ast.AST:
        """The smallest of these pieces that has the fragment in it."""
        start, end = self.find(fragment)
        around = [n for n in nodes if self.span(n)[0] <= start and end <= self.span(n)[1]]
        if not around:
            raise Misfit(f"{fragment!r} is in no such place")
        return min(around, key=lambda node: self.span(node)[1] - self.span(node)[0])


def place(source: str, name: str) -> Place:
    """What has that name: `function`, `Class.method` or `CONSTANT`."""
    body, found = parsed(source).body, None
    for part in name.split("."):
        named = [node for node in body if part in (getattr(node, "name", None), *targets(node))]
        if len(named) != 1:
            raise Misfit(f"{name} is there {len(named)} times")
        found, body = named[0], getattr(named[0], "body", [])
    return Place(source, found)


def targets(node: ast.AST) -> list[str]:
    """The names that an assignment sets."""
    found = getattr(node, "targets", [getattr(node, "target", None)])
    return [target.id for target in found if isinstance(target, ast.Name)]


def condition(where: Place, fragment: str) -> tuple[int, int]:
    """The condition in SQL, up to the next AND, OR or bracket on both sides, that has the fragment in it."""
    strings = [n for n in ast.walk(where.tree) if isinstance(n, (ast.JoinedStr, ast.Constant)) and hasattr(n, "lineno")]
    string = where.smallest(fragment, [n for n in strings if where.text(n).rstrip().endswith(('"', "'"))])
    (start, end), (first, last) = where.find(fragment), where.span(string)
    opening = re.match(r"""[a-zA-Z]*(\"{3}|'{3}|"|')""", where.source[first:last])
    first, last = first + opening.end(), last - len(opening[1])
    tokens = [(m.group().upper(), first + m.start(), first + m.end()) for m in TOKEN.finditer(where.source[first:last])]
    depth, left = 0, first
    for word, _begins, ends in reversed([token for token in tokens if token[1] < start]):
        depth += (word in ")}") - (word in "({")
        if depth < 0 or (depth == 0 and word in BEFORE):
            left = ends
            break
    inside = [word for word, begins, _ends in tokens if start <= begins < end]
    depth = sum((word in "({") - (word in ")}") for word in inside)
    right = last
    for word, begins, _ends in tokens:
        if begins < end:
            continue
        depth += (word in "({") - (word in ")}")
        if depth < 0 or (depth == 0 and word in BEHIND):
            right = begins
            break
    return left, right


def holds(where: Place, fragment: str, value: str) -> str:
    """The source with that condition of SQL always true, or always false."""
    left, right = condition(where, fragment)
    return where.put(left, right, f" {value} ")


def asked(where: Place, fragment: str, value: str) -> str:
    """The source with that condition of Python's (if, while, in a loop or an expression) always True or False."""
    tests = [n.test for n in ast.walk(where.tree) if isinstance(n, (ast.If, ast.While, ast.IfExp))]
    tests += [test for n in ast.walk(where.tree) if isinstance(n, ast.comprehension) for test in n.ifs]
    return where.put(*where.span(where.smallest(fragment, tests)), value)


def skipped(where: Place, fragment: str) -> str:
    """The source without the statement that has the fragment in it."""
    simple = (ast.Expr, ast.Assign, ast.AugAssign, ast.Raise, ast.Return, ast.Delete)
    nodes = [n for n in ast.walk(where.tree) if isinstance(n, simple)]
    return where.put(*where.span(where.smallest(fragment, nodes)), "pass")


def given(where: Place, expression: str) -> str:
    """The source with a function that does nothing but give that."""
    body = where.tree.body
    first = body[1] if ast.get_docstring(where.tree) is not None and len(body) > 1 else body[0]
    start = where.span(first)[0]
    return where.put(start, start, f"return {expression}\n" + " " * first.col_offset)


def dropped(where: Place, entry: str) -> str:
    """The source with a table (tuple, list or dict) that lacks the entry with that text in its key or first value."""
    tables = [n for n in ast.walk(where.tree.value) if isinstance(n, (ast.Tuple, ast.List, ast.Dict, ast.Set))]
    for table in tables:  # from the outside
        keys = table.keys if isinstance(table, ast.Dict) else table.elts
        hits = [number for number, key in enumerate(keys) if key is not None and entry in where.text(key)]
        if len(hits) == 1:
            start = where.span(keys[hits[0]])[0]
            last = (table.values if isinstance(table, ast.Dict) else keys)[hits[0]]
            end = where.span(last)[1]
            comma = re.match(r"\s*,", where.source[end:])
            return where.put(start, end + comma.end() if comma else end, "")
    raise Misfit(f"no table has one entry {entry!r}")


# What can be done to a place. Each takes the place and what stands behind the word.
EFFECTS: dict[str, Callable[[Place, str], str]] = {
    "true": lambda where, fragment: holds(where, fragment, "true"),
    "false": lambda where, fragment: holds(where, fragment, "false"),
    "always": lambda where, fragment: asked(where, fragment, "True"),
    "never": lambda where, fragment: asked(where, fragment, "False"),
    "skip": skipped,
    "give": given,
    "drop": dropped,
    "after": lambda where, code: where.put(where.span()[1], where.span()[1], f"\n{code}"),
    "cut": lambda where, fragment: where.put(*where.find(fragment), " "),
    "say": lambda where, change: where.put(*where.find(change.split(" => ")[0]), change.split(" => ")[1]),
}


# ---- the command ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What became of one change. `word` is "noticed", "SURVIVED", or what is wrong with the entry itself."""

    word: str
    seconds: float
    why: str = ""


def copy_project(folder: Path) -> Path:
    """A copy of the project, to be changed."""
    return Path(shutil.copytree(PROJECT, folder / "project", ignore=shutil.ignore_patterns(*LEFT_OUT)))


def run_tests(copy: Path, source: str, tests: list[str], dsn: str) -> tuple[int | None, str]:
    """Run tests in the copy with that transfer.py: pytest's exit code, None if it did not end, and what it printed."""
    (copy / "transfer.py").write_text(source)
    for compiled in copy.glob("__pycache__/transfer.*"):
        compiled.unlink()  # Python goes by the second and the size
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *tests]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("IMMICH_TRANSFER_")}
    process = subprocess.Popen(
        command,
        cwd=copy,
        env=environment | {postgres.DSN_VARIABLE: dsn, "IMMICH_TRANSFER_TEST_EVERYTHING": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        printed, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, printed
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        process.kill()
        process.wait()


def judged(code: int | None, printed: str) -> tuple[str, str]:
    """The word for a run, and the line that explains it."""
    lines = [line for line in printed.splitlines() if line.startswith(("FAILED", "ERROR"))] or printed.splitlines()[-1:]
    why = lines[0] if lines else ""
    if code == 0:
        return "SURVIVED", ""
    if code is None:
        return "DID NOT END", f"in {PATIENCE} seconds"
    if code != 1 or "ERROR" in why[:5]:
        return "NO TEST RAN", why
    if found := NONSENSE.search(printed):
        return "NONSENSE", found.group()
    return "noticed", why


def changed(source: str, mutation: Mutation) -> str:
    """The source with one change. Raises Misfit if the change does not fit."""
    new = EFFECTS[mutation.effect](place(source, mutation.place), mutation.fragment)
    try:
        compile(new, "transfer.py", "exec")
    except SyntaxError as error:
        raise Misfit(f"no Python any more: {error}") from error
    if new == source:
        raise Misfit("changes nothing")
    return new


def tried(copy: Path, source: str, mutation: Mutation, dsn: str) -> Outcome:
    """Make one change and run its tests."""
    begun = time.monotonic()
    try:
        word, why = judged(*run_tests(copy, changed(source, mutation), mutation.tests, dsn))
    except Misfit as error:
        word, why = "DOES NOT FIT", f"{mutation.place}: {error}"
    return Outcome(word, time.monotonic() - begun, why)


def server_dsn() -> str:
    """Where all runs find their server."""
    server = postgres.server()
    return make_dsn(
        host=server.host, port=server.port, user=server.user, password=server.password, dbname=server.maintenance
    )


def checked(copy: Path, source: str, wanted: list[Mutation], dsn: str) -> list[str]:
    """Run the named tests without any change; those that fail, or that are none."""
    failing = []
    for tests in dict.fromkeys(tuple(mutation.tests) for mutation in wanted):
        code, printed = run_tests(copy, source, list(tests), dsn)
        if code != 0:
            failing.append(f"{' '.join(tests)}: {judged(code, printed)[1]}")
            print(f"fails unchanged  {failing[-1]}", flush=True)
    return failing


def main(arguments: list[str] | None = None) -> int:
    """0 if every change was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only changes with one of these words in their name")
    parser.add_argument("--list", action="store_true", help="only print the names")
    parser.add_argument("--why", action="store_true", help="print which test noticed")
    parser.add_argument("--check", action="store_true", help="first run the named tests without any change")
    options = parser.parse_args(arguments)
    wanted = [m for m in mutations() if not options.words or any(word in m.name for word in options.words)]
    source = (PROJECT / "transfer.py").read_text()
    if options.list:
        print(*(mutation.name for mutation in wanted), sep="\n")
        return 0
    begun, dsn, bad = time.monotonic(), server_dsn(), []
    with tempfile.TemporaryDirectory(prefix="immich-transfer-mutations-") as folder:
        copy = copy_project(Path(folder))
        if options.check and checked(copy, source, wanted, dsn):
            return 1
        for mutation in wanted:
            outcome = tried(copy, source, mutation, dsn)
            noticed = outcome.word == "noticed"
            print(f"{outcome.word:12} {outcome.seconds:5.1f} s  {mutation.name}", flush=True)
            if outcome.why and (options.why or not noticed):
                print(f"{'':22}{outcome.why}", flush=True)
            if not noticed:
                bad.append(f"{outcome.word}: {mutation.name}")
    print(f"{len(wanted) - len(bad)} of {len(wanted)} changes noticed in {time.monotonic() - begun:.0f} s")
    print(*bad, sep="\n", end="\n" if bad else "")
    return 1 if bad or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
