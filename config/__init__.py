"""How one deployment is set up: settings, logs, servers, fonts. Nothing here knows what the service does."""
