"""Who gets what through which provider, exactly accounted for."""
