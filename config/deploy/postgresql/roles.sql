-- Once, as postgres, before the first migration. `zhiyuan` owns the tables and runs migrations and commands;
-- the portals' logins own nothing: what they may do, they have from the two roles the migrations make.
CREATE ROLE zhiyuan LOGIN CREATEROLE;
CREATE DATABASE zhiyuan OWNER zhiyuan ENCODING 'UTF8' TEMPLATE template0 LOCALE 'C.UTF-8';
REVOKE ALL ON DATABASE zhiyuan FROM PUBLIC;

CREATE ROLE "zhiyuan-candidates" LOGIN CONNECTION LIMIT 40;
CREATE ROLE "zhiyuan-offices" LOGIN CONNECTION LIMIT 40;
CREATE ROLE "zhiyuan-sealer" LOGIN CONNECTION LIMIT 8;
GRANT CONNECT ON DATABASE zhiyuan TO zhiyuan, "zhiyuan-candidates", "zhiyuan-offices", "zhiyuan-sealer";
CREATE ROLE zhiyuan_standby LOGIN REPLICATION;

-- After the first migration:
--   GRANT zhiyuan_candidates TO "zhiyuan-candidates";
--   GRANT zhiyuan_offices TO "zhiyuan-offices";
--   GRANT zhiyuan_sealer TO "zhiyuan-sealer";
