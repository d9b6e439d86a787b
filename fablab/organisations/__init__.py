"""Schools, companies and associations, who belongs to them, their projects and quotas."""
