BEGIN TRANSACTION;
CREATE TABLE accesses (
	id INTEGER NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	account_id INTEGER, 
	session VARCHAR(12), 
	address VARCHAR(64), 
	case_id INTEGER, 
	content JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	hash_version INTEGER NOT NULL, 
	previous_sha256 VARCHAR(64) NOT NULL, 
	row_sha256 VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_accesses PRIMARY KEY (id), 
	CONSTRAINT fk_accesses_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id), 
	CONSTRAINT fk_accesses_case_id_cases FOREIGN KEY(case_id) REFERENCES cases (id), 
	CONSTRAINT uq_accesses_previous_sha256 UNIQUE (previous_sha256), 
	CONSTRAINT uq_accesses_row_sha256 UNIQUE (row_sha256)
);
INSERT INTO "accesses" VALUES(1,'signed_in',1,'bbbbbbbbbbbb','127.0.0.1',1,'{}','2026-12-01 09:52:47.311249',1,'0000000000000000000000000000000000000000000000000000000000000000','51fca5c72a30e3d427c9e83f5ea0ca92d06583ce11409c00a476f76226848c3c');
INSERT INTO "accesses" VALUES(2,'case_opened',1,'bbbbbbbbbbbb','127.0.0.1',1,'{}','2026-12-01 09:52:47.312875',1,'51fca5c72a30e3d427c9e83f5ea0ca92d06583ce11409c00a476f76226848c3c','a8e7dd05ec1dca1fa64af2c8eccbbb22ba28f1f60acca85aabf340034d04f2f8');
CREATE TABLE accounts (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	display_name VARCHAR(128) NOT NULL, 
	role VARCHAR(32) NOT NULL, 
	password_hash VARCHAR(256), 
	active BOOLEAN NOT NULL, 
	demo BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_accounts PRIMARY KEY (id), 
	CONSTRAINT uq_accounts_name UNIQUE (name)
);
INSERT INTO "accounts" VALUES(1,'ada','ada','reader',NULL,1,0,'2026-12-01 09:52:47.158103');
INSERT INTO "accounts" VALUES(2,'grace','grace','engineer',NULL,1,0,'2026-12-01 09:52:47.173028');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0010');
CREATE TABLE artifacts (
	sha256 VARCHAR(64) NOT NULL, 
	media_type VARCHAR(64) NOT NULL, 
	n_bytes INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_artifacts PRIMARY KEY (sha256)
);
INSERT INTO "artifacts" VALUES('be4cd3763c77294cc59468f71890208e83c4f438713fac19e67fa801baac171e','application/octet-stream',10,'2026-12-01 09:52:47.182556');
INSERT INTO "artifacts" VALUES('1422f40650df8d2865e11283d916efc5c65b36d23004fce60ef9653378c6f563','application/octet-stream',10,'2026-12-01 09:52:47.187156');
INSERT INTO "artifacts" VALUES('3ce0a70019d7cdd27693e7d7f059a4d9a6e4451af4b138e5fef349ee833807b1','application/octet-stream',10,'2026-12-01 09:52:47.200857');
INSERT INTO "artifacts" VALUES('67307aa4388f5504158f20e6ca9800f6ff360231d22cf1138803e99b2864be59','application/octet-stream',11,'2026-12-01 09:52:47.215086');
CREATE TABLE audit_events (
	id INTEGER NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	actor_id INTEGER, 
	subject VARCHAR(32) NOT NULL, 
	subject_id VARCHAR(64) NOT NULL, 
	content JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	hash_version INTEGER NOT NULL, 
	previous_sha256 VARCHAR(64) NOT NULL, 
	row_sha256 VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_audit_events PRIMARY KEY (id), 
	CONSTRAINT fk_audit_events_actor_id_accounts FOREIGN KEY(actor_id) REFERENCES accounts (id), 
	CONSTRAINT uq_audit_events_previous_sha256 UNIQUE (previous_sha256), 
	CONSTRAINT uq_audit_events_row_sha256 UNIQUE (row_sha256)
);
INSERT INTO "audit_events" VALUES(1,'upgraded',NULL,'record','','{"state": {"verdicts": {"n_rows": 0, "row_sha256": "0000000000000000000000000000000000000000000000000000000000000000"}}}','2026-12-01 09:52:46.919735',1,'0000000000000000000000000000000000000000000000000000000000000000','658b590ed442cacfc5d8a2de360dd044fa6b98e7e8a0549f5def59bfaca6c489');
INSERT INTO "audit_events" VALUES(2,'account_added',NULL,'accounts','1','{"state": {"name": "ada", "display_name": "ada", "role": "reader", "active": true, "demo": false, "password_sha256": null}}','2026-12-01 09:52:47.159823',1,'658b590ed442cacfc5d8a2de360dd044fa6b98e7e8a0549f5def59bfaca6c489','73f8ef2e1f1eb1c6ac3ee6627aab030eac394adf28c950f51370861763713190');
INSERT INTO "audit_events" VALUES(3,'account_added',NULL,'accounts','2','{"state": {"name": "grace", "display_name": "grace", "role": "engineer", "active": true, "demo": false, "password_sha256": null}}','2026-12-01 09:52:47.173767',1,'73f8ef2e1f1eb1c6ac3ee6627aab030eac394adf28c950f51370861763713190','2ebb5316ad47262add1ad35695edef6e637f21fefbce7f08ca06bb8827fd8564');
INSERT INTO "audit_events" VALUES(4,'model_imported',NULL,'models','1','{"state": {"name": "sound", "version": "1", "architecture": "torchvision/squeezenet1_1", "weights_sha256": "1422f40650df8d2865e11283d916efc5c65b36d23004fce60ef9653378c6f563", "active": true, "card_sha256": "2f87ee3ddbc3ab4f0333bff6875b8e2932c1dbad9a7e7ad78591aa8424bceb18"}}','2026-12-01 09:52:47.198824',1,'2ebb5316ad47262add1ad35695edef6e637f21fefbce7f08ca06bb8827fd8564','f47a4f38971048e728f6d6e7515b1b3ec48452c9edf1eda2fddfa86dba481410');
INSERT INTO "audit_events" VALUES(5,'exported',2,'exports','1','{"state": {"content_sha256": "3f230751c1c4fdc807fad42db5d95d4c2e5697d3618db11be16471cd30742179"}}','2026-12-01 09:52:47.277297',1,'f47a4f38971048e728f6d6e7515b1b3ec48452c9edf1eda2fddfa86dba481410','1b08233489484d8045d7a493bf6840f6354988b365fa2bcd587325d5cff42998');
INSERT INTO "audit_events" VALUES(6,'link_issued',NULL,'sign_in_tokens','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','{"state": {"account_id": 1, "issued_by": 2, "expires_at": "2026-12-01T09:52:47.259324+00:00"}}','2026-12-01 09:52:47.278528',1,'1b08233489484d8045d7a493bf6840f6354988b365fa2bcd587325d5cff42998','5b4e71a16b4c6b395fea226a9064cb921af9d86acc68537ebb4c4e4f0c2a18eb');
INSERT INTO "audit_events" VALUES(7,'text_step',2,'text_events','1','{"state": {"case_id": 1, "actor_id": 2, "step": "masked", "image_sha256": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", "masks": [[1, 2, 3, 4]], "removed": ["cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"], "created_at": "2026-12-01T09:52:47.270630+00:00"}}','2026-12-01 09:52:47.279523',1,'5b4e71a16b4c6b395fea226a9064cb921af9d86acc68537ebb4c4e4f0c2a18eb','a2347f2450305837195d22435463536347973de281bfe0564539f86e772e8b72');
INSERT INTO "audit_events" VALUES(8,'triage_step',2,'triage_events','1','{"state": {"content_sha256": "257ea7c25c8b4a5ede1d15e7fc143dc90bdf614fbeeeef81873a7f104a8da6ab"}}','2026-12-01 09:52:47.280477',1,'a2347f2450305837195d22435463536347973de281bfe0564539f86e772e8b72','3fce7657b7f4acc79bd3ed4cf5b50c22ccaa2fe56698a261538534cffb70cd49');
INSERT INTO "audit_events" VALUES(9,'openid_linked',NULL,'openid_identities','1','{"state": {"account_id": 2, "issuer": "https://login.example", "subject": "grace", "created_at": "2026-12-01T09:52:47.294021+00:00", "removed_at": null}}','2026-12-01 09:52:47.296860',1,'3fce7657b7f4acc79bd3ed4cf5b50c22ccaa2fe56698a261538534cffb70cd49','8077e827428b03013b04b3ee41decfb420d61e8d29618526b00115ccf85db022');
INSERT INTO "audit_events" VALUES(10,'second_factor_set',NULL,'second_factors','1','{"state": {"account_id": 1, "created_at": "2026-12-01T09:52:47.295330+00:00", "removed_at": null, "secret_sha256": "fdeb0b592bcca5f184b44b8b1846207dd1ab1aa76d109bad84772c9c94d0c2ea"}}','2026-12-01 09:52:47.310576',1,'8077e827428b03013b04b3ee41decfb420d61e8d29618526b00115ccf85db022','92643f7308c7a145d072665ba6735a01e546e179abde85d1353d063d5bd0d2bf');
CREATE TABLE cases (
	id INTEGER NOT NULL, 
	source_sha256 VARCHAR(64) NOT NULL, 
	image_sha256 VARCHAR(64) NOT NULL, 
	thumbnail_sha256 VARCHAR(64), 
	source_format VARCHAR(16) NOT NULL, 
	width_px INTEGER NOT NULL, 
	height_px INTEGER NOT NULL, 
	n_channels INTEGER NOT NULL, 
	bits INTEGER NOT NULL, 
	window_low DOUBLE NOT NULL, 
	window_high DOUBLE NOT NULL, 
	rescale_slope DOUBLE NOT NULL, 
	rescale_intercept DOUBLE NOT NULL, 
	modality VARCHAR(16), 
	view_position VARCHAR(16), 
	patient_key VARCHAR(64), 
	acquisition JSON NOT NULL, 
	identifiers JSON NOT NULL, 
	notes JSON NOT NULL, 
	origin VARCHAR(16) NOT NULL, 
	synthetic BOOLEAN NOT NULL, 
	reference_label VARCHAR(64), 
	reference_mask_sha256 VARCHAR(64), 
	status VARCHAR(32) NOT NULL, 
	created_by INTEGER, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_cases PRIMARY KEY (id), 
	CONSTRAINT fk_cases_created_by_accounts FOREIGN KEY(created_by) REFERENCES accounts (id), 
	CONSTRAINT fk_cases_image_sha256_artifacts FOREIGN KEY(image_sha256) REFERENCES artifacts (sha256), 
	CONSTRAINT fk_cases_reference_mask_sha256_artifacts FOREIGN KEY(reference_mask_sha256) REFERENCES artifacts (sha256), 
	CONSTRAINT fk_cases_thumbnail_sha256_artifacts FOREIGN KEY(thumbnail_sha256) REFERENCES artifacts (sha256), 
	CONSTRAINT uq_cases_source_sha256 UNIQUE (source_sha256)
);
INSERT INTO "cases" VALUES(1,'0c6b861e4f1169ae0910995b9893e68d618df4b95f978a67ec832400247febc9','be4cd3763c77294cc59468f71890208e83c4f438713fac19e67fa801baac171e',NULL,'PNG',64,48,1,8,0.0,255.0,1.0,0.0,'CR',NULL,NULL,'{}','{}','[]','upload',1,NULL,NULL,'ready',NULL,'2026-12-01 09:52:47.186288');
CREATE TABLE drafts (
	account_id INTEGER NOT NULL, 
	prediction_id INTEGER NOT NULL, 
	content JSON NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_drafts PRIMARY KEY (account_id, prediction_id), 
	CONSTRAINT fk_drafts_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id), 
	CONSTRAINT fk_drafts_prediction_id_predictions FOREIGN KEY(prediction_id) REFERENCES predictions (id)
);
INSERT INTO "drafts" VALUES(1,1,'{"comment": "half a"}','2026-12-01 09:52:47.259246');
CREATE TABLE explanations (
	id INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	prediction_id INTEGER NOT NULL, 
	method VARCHAR(48) NOT NULL, 
	target INTEGER NOT NULL, 
	params JSON NOT NULL, 
	artifact_sha256 VARCHAR(64) NOT NULL, 
	width_px INTEGER NOT NULL, 
	height_px INTEGER NOT NULL, 
	convergence_delta DOUBLE, 
	relative_delta DOUBLE, 
	trust JSON NOT NULL, 
	seconds DOUBLE NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	software JSON NOT NULL, 
	created_at DATETIME NOT NULL, recipe JSON, channels_share BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_explanations PRIMARY KEY (id), 
	CONSTRAINT fk_explanations_artifact_sha256_artifacts FOREIGN KEY(artifact_sha256) REFERENCES artifacts (sha256), 
	CONSTRAINT fk_explanations_prediction_id_predictions FOREIGN KEY(prediction_id) REFERENCES predictions (id), 
	CONSTRAINT uq_explanations_key UNIQUE ("key")
);
INSERT INTO "explanations" VALUES(1,'b7284392b734cffc558a553d1ce6bdcb2c695b5cd3e87e5c8235f065dca5893d',1,'integrated_gradients',1,'{"n_steps": 50, "baseline": "black"}','3ce0a70019d7cdd27693e7d7f059a4d9a6e4451af4b138e5fef349ee833807b1',32,32,0.01,0.01,'{"flat": false, "nan": false, "corner_share": 0.05, "border_share": 0.1, "agreement": null, "relative_delta": 0.01, "badge": "good", "reasons": []}',0.5,'cpu','{"torch": "2"}','2026-12-01 09:52:47.214118',NULL,0);
INSERT INTO "explanations" VALUES(2,'9ac775093ad61b0a87e4225ecad745170ef99dcdcf9d041d3e25218e29bf2d06',1,'occlusion',1,'{"n_steps": 50, "baseline": "black"}','67307aa4388f5504158f20e6ca9800f6ff360231d22cf1138803e99b2864be59',32,32,0.01,0.01,'{"flat": false, "nan": false, "corner_share": 0.05, "border_share": 0.1, "agreement": null, "relative_delta": 0.01, "badge": "good", "reasons": []}',0.5,'cpu','{"torch": "2"}','2026-12-01 09:52:47.215328','{"preset": "standard", "baseline": "black"}',1);
CREATE TABLE exports (
	id INTEGER NOT NULL, 
	schema_version VARCHAR(16) NOT NULL, 
	filters JSON NOT NULL, 
	manifest JSON NOT NULL, 
	created_by INTEGER, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_exports PRIMARY KEY (id), 
	CONSTRAINT fk_exports_created_by_accounts FOREIGN KEY(created_by) REFERENCES accounts (id)
);
INSERT INTO "exports" VALUES(1,'1','{}','{"n": 1}',2,'2026-12-01 09:52:47.260506');
CREATE TABLE jobs (
	id INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	payload JSON NOT NULL, 
	case_id INTEGER, 
	status VARCHAR(32) NOT NULL, 
	priority INTEGER NOT NULL, 
	n_done INTEGER NOT NULL, 
	n_total INTEGER NOT NULL, 
	stage VARCHAR(64) NOT NULL, 
	error VARCHAR(2000), 
	n_attempts INTEGER NOT NULL, 
	worker VARCHAR(128), 
	lease_until_at DATETIME, 
	cancel_requested BOOLEAN NOT NULL, 
	created_by INTEGER, 
	created_at DATETIME NOT NULL, 
	started_at DATETIME, 
	finished_at DATETIME, n_deaths INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_jobs PRIMARY KEY (id), 
	CONSTRAINT fk_jobs_case_id_cases FOREIGN KEY(case_id) REFERENCES cases (id), 
	CONSTRAINT fk_jobs_created_by_accounts FOREIGN KEY(created_by) REFERENCES accounts (id), 
	CONSTRAINT uq_jobs_key UNIQUE ("key")
);
INSERT INTO "jobs" VALUES(1,'71de76e67ded19bc87c9076d51f0839b969bf2935f4f86d1b57f9016bde82807','explain','{}',1,'queued',0,0,0,'',NULL,0,NULL,NULL,0,NULL,'2026-12-01 09:52:47.216681',NULL,NULL,0);
CREATE TABLE models (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	version VARCHAR(32) NOT NULL, 
	architecture VARCHAR(64) NOT NULL, 
	weights_sha256 VARCHAR(64) NOT NULL, 
	card JSON NOT NULL, 
	active BOOLEAN NOT NULL, 
	created_by INTEGER, 
	created_at DATETIME NOT NULL, suspended VARCHAR(200), 
	CONSTRAINT pk_models PRIMARY KEY (id), 
	CONSTRAINT fk_models_created_by_accounts FOREIGN KEY(created_by) REFERENCES accounts (id), 
	CONSTRAINT fk_models_weights_sha256_artifacts FOREIGN KEY(weights_sha256) REFERENCES artifacts (sha256), 
	CONSTRAINT uq_models_name_version UNIQUE (name, version)
);
INSERT INTO "models" VALUES(1,'sound','1','torchvision/squeezenet1_1','1422f40650df8d2865e11283d916efc5c65b36d23004fce60ef9653378c6f563','{"name": "sound", "version": "1", "classes": ["normal", "nodule", "effusion", "cardiomegaly"], "scores": "softmax"}',1,NULL,'2026-12-01 09:52:47.197509',NULL);
CREATE TABLE openid_identities (
	id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	issuer VARCHAR(255) NOT NULL, 
	subject VARCHAR(255) NOT NULL, 
	created_at DATETIME NOT NULL, 
	removed_at DATETIME, 
	CONSTRAINT pk_openid_identities PRIMARY KEY (id), 
	CONSTRAINT fk_openid_identities_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id)
);
INSERT INTO "openid_identities" VALUES(1,2,'https://login.example','grace','2026-12-01 09:52:47.294021',NULL);
CREATE TABLE pending_sign_ins (
	token_sha256 VARCHAR(64) NOT NULL, 
	account_id INTEGER NOT NULL, 
	link_sha256 VARCHAR(64), 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	spent_at DATETIME, 
	CONSTRAINT pk_pending_sign_ins PRIMARY KEY (token_sha256), 
	CONSTRAINT fk_pending_sign_ins_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id), 
	CONSTRAINT fk_pending_sign_ins_link_sha256_sign_in_tokens FOREIGN KEY(link_sha256) REFERENCES sign_in_tokens (token_sha256)
);
INSERT INTO "pending_sign_ins" VALUES('dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-12-01 09:52:47.294819','2026-12-01 09:52:47.293239',NULL);
CREATE TABLE predictions (
	id INTEGER NOT NULL, 
	case_id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	target INTEGER NOT NULL, 
	label VARCHAR(128) NOT NULL, 
	score DOUBLE NOT NULL, 
	scores JSON NOT NULL, 
	geometry JSON NOT NULL, 
	software JSON NOT NULL, 
	created_at DATETIME NOT NULL, answer VARCHAR(128) DEFAULT '' NOT NULL, certainty DOUBLE DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_predictions PRIMARY KEY (id), 
	CONSTRAINT fk_predictions_case_id_cases FOREIGN KEY(case_id) REFERENCES cases (id), 
	CONSTRAINT fk_predictions_model_id_models FOREIGN KEY(model_id) REFERENCES models (id), 
	CONSTRAINT uq_predictions_case_id_model_id UNIQUE (case_id, model_id)
);
INSERT INTO "predictions" VALUES(1,1,1,1,'nodule',0.9,'[0.05, 0.9, 0.03, 0.02]','{"x": 0.0, "y": 0.0, "width": 64, "height": 48}','{"torch": "2"}','2026-12-01 09:52:47.200072','nodule',0.9);
CREATE TABLE recovery_codes (
	code_sha256 VARCHAR(64) NOT NULL, 
	factor_id INTEGER NOT NULL, 
	used_at DATETIME, 
	CONSTRAINT pk_recovery_codes PRIMARY KEY (code_sha256), 
	CONSTRAINT fk_recovery_codes_factor_id_second_factors FOREIGN KEY(factor_id) REFERENCES second_factors (id)
);
INSERT INTO "recovery_codes" VALUES('eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee',1,NULL);
CREATE TABLE second_factors (
	id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	secret VARCHAR(256), 
	last_step INTEGER, 
	failures JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	removed_at DATETIME, 
	CONSTRAINT pk_second_factors PRIMARY KEY (id), 
	CONSTRAINT fk_second_factors_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id)
);
INSERT INTO "second_factors" VALUES(1,1,'sealed',5,'[]','2026-12-01 09:52:47.295330',NULL);
CREATE TABLE settings (
	"key" VARCHAR(64) NOT NULL, 
	value JSON NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_settings PRIMARY KEY ("key")
);
INSERT INTO "settings" VALUES('audit_chain_head','{"n_rows": 10, "row_sha256": "92643f7308c7a145d072665ba6735a01e546e179abde85d1353d063d5bd0d2bf"}','2026-12-01 09:52:47.310576');
INSERT INTO "settings" VALUES('verdict_chain_head','{"n_rows": 3, "row_sha256": "452414a74d2027f6e01fe7db0d215085ae6a7bc82d0c2fce66a4e2bf7638f5db"}','2026-12-01 09:52:47.258752');
INSERT INTO "settings" VALUES('access_chain_head','{"n_rows": 2, "row_sha256": "a8e7dd05ec1dca1fa64af2c8eccbbb22ba28f1f60acca85aabf340034d04f2f8"}','2026-12-01 09:52:47.321435');
CREATE TABLE sign_in_attempts (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	address VARCHAR(64) NOT NULL, 
	succeeded BOOLEAN NOT NULL, 
	attempted_at DATETIME NOT NULL, 
	CONSTRAINT pk_sign_in_attempts PRIMARY KEY (id)
);
INSERT INTO "sign_in_attempts" VALUES(1,'ada','127.0.0.1',1,'2026-12-01 09:52:47.269272');
CREATE TABLE "sign_in_tokens" (
	token_sha256 VARCHAR(64) NOT NULL, 
	account_id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	used_at DATETIME, 
	issued_by INTEGER, 
	used_from VARCHAR(64), 
	told_at DATETIME, 
	CONSTRAINT pk_sign_in_tokens PRIMARY KEY (token_sha256), 
	CONSTRAINT fk_sign_in_tokens_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id), 
	CONSTRAINT fk_sign_in_tokens_issued_by_accounts FOREIGN KEY(issued_by) REFERENCES accounts (id)
);
INSERT INTO "sign_in_tokens" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1,'2026-12-01 09:52:47.270016','2026-12-01 09:52:47.259324','2026-12-01 09:52:47.259325',2,'127.0.0.1',NULL);
CREATE TABLE text_events (
	id INTEGER NOT NULL, 
	case_id INTEGER NOT NULL, 
	actor_id INTEGER, 
	step VARCHAR(32) NOT NULL, 
	image_sha256 VARCHAR(64) NOT NULL, 
	masks JSON NOT NULL, 
	removed JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_text_events PRIMARY KEY (id), 
	CONSTRAINT fk_text_events_actor_id_accounts FOREIGN KEY(actor_id) REFERENCES accounts (id), 
	CONSTRAINT fk_text_events_case_id_cases FOREIGN KEY(case_id) REFERENCES cases (id)
);
INSERT INTO "text_events" VALUES(1,1,2,'masked','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','[[1, 2, 3, 4]]','["cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"]','2026-12-01 09:52:47.270630');
CREATE TABLE triage_events (
	id INTEGER NOT NULL, 
	case_id INTEGER NOT NULL, 
	actor_id INTEGER NOT NULL, 
	action VARCHAR(32) NOT NULL, 
	assignee_id INTEGER, 
	disposition VARCHAR(32), 
	comment VARCHAR(4000) NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_triage_events PRIMARY KEY (id), 
	CONSTRAINT fk_triage_events_actor_id_accounts FOREIGN KEY(actor_id) REFERENCES accounts (id), 
	CONSTRAINT fk_triage_events_assignee_id_accounts FOREIGN KEY(assignee_id) REFERENCES accounts (id), 
	CONSTRAINT fk_triage_events_case_id_cases FOREIGN KEY(case_id) REFERENCES cases (id)
);
INSERT INTO "triage_events" VALUES(1,1,2,'close',NULL,'model_shortcut','','2026-12-01 09:52:47.271248');
CREATE TABLE triage_flags (
	id INTEGER NOT NULL, 
	case_id INTEGER NOT NULL, 
	prediction_id INTEGER NOT NULL, 
	reason VARCHAR(32) NOT NULL, 
	detail VARCHAR(300) NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_triage_flags PRIMARY KEY (id), 
	CONSTRAINT fk_triage_flags_case_id_cases FOREIGN KEY(case_id) REFERENCES cases (id), 
	CONSTRAINT fk_triage_flags_prediction_id_predictions FOREIGN KEY(prediction_id) REFERENCES predictions (id), 
	CONSTRAINT uq_triage_flags_case_id_prediction_id_reason UNIQUE (case_id, prediction_id, reason)
);
INSERT INTO "triage_flags" VALUES(1,1,1,'rejected','no class given','2026-12-01 09:52:47.271768');
CREATE TABLE verdicts (
	id INTEGER NOT NULL, 
	request_id VARCHAR(64) NOT NULL, 
	case_id INTEGER NOT NULL, 
	prediction_id INTEGER NOT NULL, 
	reader_id INTEGER NOT NULL, 
	opinion VARCHAR(32) NOT NULL, 
	reasons JSON NOT NULL, 
	corrected_label VARCHAR(128), 
	plausibility JSON NOT NULL, 
	comment VARCHAR(4000) NOT NULL, 
	boxes JSON NOT NULL, 
	exposure VARCHAR(32) NOT NULL, 
	active_seconds DOUBLE NOT NULL, 
	evidence JSON NOT NULL, 
	supersedes_id INTEGER, 
	created_at DATETIME NOT NULL, 
	previous_sha256 VARCHAR(64) NOT NULL, 
	row_sha256 VARCHAR(64) NOT NULL, hash_version INTEGER DEFAULT '1' NOT NULL, findings JSON, reasoning VARCHAR(32), 
	CONSTRAINT pk_verdicts PRIMARY KEY (id), 
	CONSTRAINT fk_verdicts_case_id_cases FOREIGN KEY(case_id) REFERENCES cases (id), 
	CONSTRAINT fk_verdicts_prediction_id_predictions FOREIGN KEY(prediction_id) REFERENCES predictions (id), 
	CONSTRAINT fk_verdicts_reader_id_accounts FOREIGN KEY(reader_id) REFERENCES accounts (id), 
	CONSTRAINT fk_verdicts_supersedes_id_verdicts FOREIGN KEY(supersedes_id) REFERENCES verdicts (id), 
	CONSTRAINT uq_verdicts_previous_sha256 UNIQUE (previous_sha256), 
	CONSTRAINT uq_verdicts_request_id UNIQUE (request_id), 
	CONSTRAINT uq_verdicts_row_sha256 UNIQUE (row_sha256), 
	CONSTRAINT uq_verdicts_supersedes_id UNIQUE (supersedes_id)
);
INSERT INTO "verdicts" VALUES(1,'request 12',1,1,1,'accept','[]',NULL,'{}','first – ünïcode','[]','explanation',5.0,'{}',NULL,'2026-12-01 09:52:47.230502','0000000000000000000000000000000000000000000000000000000000000000','e15ddb26c7943eecffc083b9f7684a4be0baf1581f69b1c286b7fceba2f32e31',3,'{}',NULL);
INSERT INTO "verdicts" VALUES(2,'request 13',1,1,1,'reject','["wrong_finding"]',NULL,'{}','','[]','explanation',5.0,'{}',1,'2026-12-01 09:52:47.243530','e15ddb26c7943eecffc083b9f7684a4be0baf1581f69b1c286b7fceba2f32e31','e5526c95b17a5abc0a930ddaa61f47196f5c1dec259eb8842e3b39e95b90b15b',3,'{}',NULL);
INSERT INTO "verdicts" VALUES(3,'request 14',1,1,2,'accept','[]',NULL,'{}','','[{"x": 1.5, "y": 2}]','explanation',5.0,'{}',NULL,'2026-12-01 09:52:47.257968','e5526c95b17a5abc0a930ddaa61f47196f5c1dec259eb8842e3b39e95b90b15b','452414a74d2027f6e01fe7db0d215085ae6a7bc82d0c2fce66a4e2bf7638f5db',3,'{}',NULL);
CREATE TABLE "web_sessions" (
	token_sha256 VARCHAR(64) NOT NULL, 
	account_id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	last_seen_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	revoked_at DATETIME, 
	link_sha256 VARCHAR(64), address VARCHAR(64), browser VARCHAR(64), nonce_sha256 VARCHAR(64), 
	CONSTRAINT pk_web_sessions PRIMARY KEY (token_sha256), 
	CONSTRAINT fk_web_sessions_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id), 
	CONSTRAINT fk_web_sessions_link_sha256_sign_in_tokens FOREIGN KEY(link_sha256) REFERENCES sign_in_tokens (token_sha256)
);
INSERT INTO "web_sessions" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',1,'2026-12-01 09:52:47.295855','2026-12-01 09:52:47.295857','2026-12-01 09:52:47.281031',NULL,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','127.0.0.1','Chromium on Linux',NULL);
CREATE INDEX ix_sign_in_attempts_address_attempted_at ON sign_in_attempts (address, attempted_at);
CREATE INDEX ix_sign_in_attempts_name_attempted_at ON sign_in_attempts (name, attempted_at);
CREATE INDEX ix_cases_created_at ON cases (created_at);
CREATE INDEX ix_cases_patient_key ON cases (patient_key);
CREATE INDEX ix_cases_status_id ON cases (status, id);
CREATE INDEX ix_jobs_case_id ON jobs (case_id);
CREATE INDEX ix_jobs_status_priority_id ON jobs (status, priority, id);
CREATE INDEX ix_triage_events_case_id_id ON triage_events (case_id, id);
CREATE INDEX ix_explanations_prediction_id_method ON explanations (prediction_id, method);
CREATE INDEX ix_triage_flags_reason_case_id ON triage_flags (reason, case_id);
CREATE INDEX ix_verdicts_case_id_reader_id ON verdicts (case_id, reader_id);
CREATE INDEX ix_verdicts_prediction_id ON verdicts (prediction_id);
CREATE TRIGGER verdicts_no_update BEFORE UPDATE ON verdicts BEGIN SELECT RAISE(ABORT, 'verdicts are append-only'); END;
CREATE TRIGGER verdicts_no_delete BEFORE DELETE ON verdicts BEGIN SELECT RAISE(ABORT, 'verdicts are append-only'); END;
CREATE TRIGGER verdicts_no_replace BEFORE INSERT ON verdicts WHEN EXISTS (SELECT 1 FROM verdicts WHERE id = NEW.id OR request_id = NEW.request_id OR supersedes_id = NEW.supersedes_id OR previous_sha256 = NEW.previous_sha256 OR row_sha256 = NEW.row_sha256) BEGIN SELECT RAISE(ABORT, 'verdicts are append-only'); END;
CREATE TRIGGER triage_events_no_update BEFORE UPDATE ON triage_events BEGIN SELECT RAISE(ABORT, 'triage_events are append-only'); END;
CREATE TRIGGER triage_events_no_delete BEFORE DELETE ON triage_events BEGIN SELECT RAISE(ABORT, 'triage_events are append-only'); END;
CREATE TRIGGER triage_events_no_replace BEFORE INSERT ON triage_events WHEN EXISTS (SELECT 1 FROM triage_events WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'triage_events are append-only'); END;
CREATE INDEX ix_verdicts_reader_id_prediction_id ON verdicts (reader_id, prediction_id);
CREATE INDEX ix_audit_events_subject_subject_id_id ON audit_events (subject, subject_id, id);
CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events BEGIN SELECT RAISE(ABORT, 'audit_events are append-only'); END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events BEGIN SELECT RAISE(ABORT, 'audit_events are append-only'); END;
CREATE TRIGGER audit_events_no_replace BEFORE INSERT ON audit_events WHEN EXISTS (SELECT 1 FROM audit_events WHERE id = NEW.id OR previous_sha256 = NEW.previous_sha256 OR row_sha256 = NEW.row_sha256) BEGIN SELECT RAISE(ABORT, 'audit_events are append-only'); END;
CREATE INDEX ix_predictions_answer_case_id ON predictions (answer, case_id);
CREATE INDEX ix_predictions_case_id_certainty ON predictions (case_id, certainty);
CREATE INDEX ix_predictions_model_id_answer ON predictions (model_id, answer);
CREATE INDEX ix_accesses_created_at_id ON accesses (created_at, id);
CREATE INDEX ix_accesses_account_id_created_at_id ON accesses (account_id, created_at, id);
CREATE INDEX ix_accesses_case_id_created_at_id ON accesses (case_id, created_at, id);
CREATE INDEX ix_accesses_kind_created_at_id ON accesses (kind, created_at, id);
CREATE TRIGGER accesses_no_update BEFORE UPDATE ON accesses BEGIN SELECT RAISE(ABORT, 'accesses are append-only'); END;
CREATE TRIGGER accesses_no_delete BEFORE DELETE ON accesses WHEN (OLD.id > COALESCE((SELECT json_extract(value, '$.n_rows') FROM settings WHERE key = 'access_horizon'), 0)) BEGIN SELECT RAISE(ABORT, 'accesses are append-only'); END;
CREATE TRIGGER accesses_no_replace BEFORE INSERT ON accesses WHEN EXISTS (SELECT 1 FROM accesses WHERE id = NEW.id OR previous_sha256 = NEW.previous_sha256 OR row_sha256 = NEW.row_sha256) BEGIN SELECT RAISE(ABORT, 'accesses are append-only'); END;
CREATE INDEX ix_audit_events_created_at_id ON audit_events (created_at, id);
CREATE INDEX ix_sign_in_tokens_account_id ON sign_in_tokens (account_id);
CREATE INDEX ix_web_sessions_account_id ON web_sessions (account_id);
CREATE INDEX ix_text_events_case_id_id ON text_events (case_id, id);
CREATE TRIGGER text_events_no_update BEFORE UPDATE ON text_events BEGIN SELECT RAISE(ABORT, 'text_events are append-only'); END;
CREATE TRIGGER text_events_no_delete BEFORE DELETE ON text_events BEGIN SELECT RAISE(ABORT, 'text_events are append-only'); END;
CREATE TRIGGER text_events_no_replace BEFORE INSERT ON text_events WHEN EXISTS (SELECT 1 FROM text_events WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'text_events are append-only'); END;
CREATE UNIQUE INDEX ix_second_factors_account_id ON second_factors (account_id) WHERE removed_at IS NULL;
CREATE INDEX ix_recovery_codes_factor_id ON recovery_codes (factor_id);
CREATE INDEX ix_pending_sign_ins_account_id ON pending_sign_ins (account_id);
CREATE UNIQUE INDEX ix_openid_identities_account_id ON openid_identities (account_id) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX ix_openid_identities_issuer_subject ON openid_identities (issuer, subject) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX ix_web_sessions_nonce_sha256 ON web_sessions (nonce_sha256);
COMMIT;
