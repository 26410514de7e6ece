"""The vendor's authentication: applications, brands' identity servers, enrolment, partners."""
