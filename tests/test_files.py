"""No file is moved and no path is changed: Immich finds every file where it was."""


def paths(library) -> list:
    columns = [c for c in ("originalPath", "sidecarPath", "encodedVideoPath") if library.has("asset", c)]
    named = ", ".join(f'"{column}"' for column in columns)
    return [
        *library.rows(f"select id, {named} from asset order by id"),
        *library.rows('select "assetId", type, path from asset_file order by "assetId", type'),
    ]


def test_paths_stay(library, anna, move) -> None:
    photo = library.asset(anna, sidecar=True)
    video = library.asset(anna, "film.mp4", kind="VIDEO", encoded=True)
    album = library.album(anna, "Trip", [photo, video, *library.live(anna)])
    before = paths(library)
    move(album)
    assert paths(library) == before


def test_everything_that_immich_knows_about_a_photo_stays(library, anna, ben, move) -> None:
    """Description, search vectors, recognised text, metadata, job states but for the search for duplicates."""
    photo = library.asset(anna, description="At the lake", favorite=True)
    library.face(photo)
    before = library.snapshot()
    move(library.album(anna, "Trip", [photo]))
    after = library.snapshot()
    tables = ("asset_exif", "asset_metadata", "asset_file", "smart_search", "asset_ocr", "ocr_search", "face_search")
    for table in tables:
        assert after.get(table) == before.get(table), table
    assert library.owner_of(photo) == ben
