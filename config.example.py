# Every setting of transfer.py. The set-up writes config.py for you; copy this file to config.py only if you
# prefer to write it yourself, and make it readable by you alone (chmod 600 config.py): it holds two secrets.
#
# The file is read as data and never executed: plain values only, no expressions.

# The address that you open Immich with.
API_URL = "http://192.168.1.10:2283"

# Account Settings > API Keys. An administrator's key with adminUser.read, user.read, album.read, job.read,
# job.create, maintenance and systemConfig.read; `all` is simplest. What works without
# some is said in .github/docs/database.md.
API_KEY = "paste the key here"

# Goes to psycopg2.connect as it is, so everything that libpq knows works here.
DB_CONFIG = {
    "host": "localhost",  # `database` inside Immich's Docker network, `localhost` through an SSH tunnel
    "port": 5432,
    "dbname": "immich",  # DB_DATABASE_NAME in Immich's .env
    "user": "postgres",  # DB_USERNAME in Immich's .env
    "password": "paste the password here",  # DB_PASSWORD in Immich's .env
    # "sslmode": "verify-full",
    # "sslrootcert": "/path/to/authority.pem",
    # "options": "-c lock_timeout=30s",  # how long to wait for a row that Immich works on; 10s unless set
}

# Only for moving files into their owners' folders: Immich's media folder as this computer sees it, the one
# that holds upload, library and thumbs. UPLOAD_LOCATION in Immich's .env says where it is on the server.
# UPLOAD_LOCATION = "/srv/immich"

# Only where something before Immich asks for headers of its own, such as Cloudflare Access; for every call.
# API_HEADERS = {"CF-Access-Client-Id": "…", "CF-Access-Client-Secret": "…"}
