"""What compose files and quadlets declare. Only this package reads them; it knows neither engines nor policies."""
