"""The built pages in a real browser, on the real server and database."""
