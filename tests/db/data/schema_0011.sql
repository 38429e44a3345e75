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
INSERT INTO "accesses" VALUES(1,'signed_in',1,'bbbbbbbbbbbb','127.0.0.1',1,'{}','2026-12-01 10:50:43.545333',1,'0000000000000000000000000000000000000000000000000000000000000000','2797bb2abafc406736d9c9331cf3243d0f789c5e0e041233d87748b2050ddee8');
INSERT INTO "accesses" VALUES(2,'case_opened',1,'bbbbbbbbbbbb','127.0.0.1',1,'{}','2026-12-01 10:50:43.546829',1,'2797bb2abafc406736d9c9331cf3243d0f789c5e0e041233d87748b2050ddee8','9137a45702240a06f54cc7a17d7eea1fa14c6cc5ae73c27dd5764181144004bd');
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
INSERT INTO "accounts" VALUES(1,'ada','ada','reader',NULL,1,0,'2026-12-01 10:50:43.347908');
INSERT INTO "accounts" VALUES(2,'grace','grace','engineer',NULL,1,0,'2026-12-01 10:50:43.365588');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0011');
CREATE TABLE artifacts (
	sha256 VARCHAR(64) NOT NULL, 
	media_type VARCHAR(64) NOT NULL, 
	n_bytes INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_artifacts PRIMARY KEY (sha256)
);
INSERT INTO "artifacts" VALUES('be4cd3763c77294cc59468f71890208e83c4f438713fac19e67fa801baac171e','application/octet-stream',10,'2026-12-01 10:50:43.378572');
INSERT INTO "artifacts" VALUES('1422f40650df8d2865e11283d916efc5c65b36d23004fce60ef9653378c6f563','application/octet-stream',10,'2026-12-01 10:50:43.389715');
INSERT INTO "artifacts" VALUES('3ce0a70019d7cdd27693e7d7f059a4d9a6e4451af4b138e5fef349ee833807b1','application/octet-stream',10,'2026-12-01 10:50:43.408460');
INSERT INTO "artifacts" VALUES('67307aa4388f5504158f20e6ca9800f6ff360231d22cf1138803e99b2864be59','application/octet-stream',11,'2026-12-01 10:50:43.414965');
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
INSERT INTO "audit_events" VALUES(1,'upgraded',NULL,'record','','{"state": {"verdicts": {"n_rows": 0, "row_sha256": "0000000000000000000000000000000000000000000000000000000000000000"}}}','2026-12-01 10:50:43.099104',1,'0000000000000000000000000000000000000000000000000000000000000000','84cb5a3bd4a3379e5ab6c002bfcc61fd697c0bdb2d43478a35056b1ed33965aa');
INSERT INTO "audit_events" VALUES(2,'account_added',NULL,'accounts','1','{"state": {"name": "ada", "display_name": "ada", "role": "reader", "active": true, "demo": false, "password_sha256": null}}','2026-12-01 10:50:43.355024',1,'84cb5a3bd4a3379e5ab6c002bfcc61fd697c0bdb2d43478a35056b1ed33965aa','b87ada5b9ae3303ee71b7ab7715c2bf6c5e20fd689e1cbb7dbe57430d347cb75');
INSERT INTO "audit_events" VALUES(3,'account_added',NULL,'accounts','2','{"state": {"name": "grace", "display_name": "grace", "role": "engineer", "active": true, "demo": false, "password_sha256": null}}','2026-12-01 10:50:43.366649',1,'b87ada5b9ae3303ee71b7ab7715c2bf6c5e20fd689e1cbb7dbe57430d347cb75','67151b2bbcc3278e21a019d87af04505c88a38e7d7a6a01314ef0c0d0ffc48c8');
INSERT INTO "audit_events" VALUES(4,'model_imported',NULL,'models','1','{"state": {"name": "sound", "version": "1", "architecture": "torchvision/squeezenet1_1", "weights_sha256": "1422f40650df8d2865e11283d916efc5c65b36d23004fce60ef9653378c6f563", "active": true, "card_sha256": "2f87ee3ddbc3ab4f0333bff6875b8e2932c1dbad9a7e7ad78591aa8424bceb18"}}','2026-12-01 10:50:43.392607',1,'67151b2bbcc3278e21a019d87af04505c88a38e7d7a6a01314ef0c0d0ffc48c8','449b8cdf64c8cbf290dfefceac5117b74633235b88da698b94ca183330aeb413');
INSERT INTO "audit_events" VALUES(5,'exported',2,'exports','1','{"state": {"content_sha256": "9cc8cfc72f873e93bf978613adc71f3addf14fe9565dca3d495ee944b3dfb116"}}','2026-12-01 10:50:43.499928',1,'449b8cdf64c8cbf290dfefceac5117b74633235b88da698b94ca183330aeb413','775d884bfbf85bf9bce708999c8f44c240d7c9bf880052429f6ad4477af51343');
INSERT INTO "audit_events" VALUES(6,'link_issued',NULL,'sign_in_tokens','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','{"state": {"account_id": 1, "issued_by": 2, "expires_at": "2026-12-01T10:50:43.470814+00:00"}}','2026-12-01 10:50:43.509252',1,'775d884bfbf85bf9bce708999c8f44c240d7c9bf880052429f6ad4477af51343','8e0d5af3090eddac2580bda4885b350bd177f52a2edd1f2984f6217270365b65');
INSERT INTO "audit_events" VALUES(7,'text_step',2,'text_events','1','{"state": {"case_id": 1, "actor_id": 2, "step": "masked", "image_sha256": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", "masks": [[1, 2, 3, 4]], "removed": ["cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"], "created_at": "2026-12-01T10:50:43.487824+00:00"}}','2026-12-01 10:50:43.511017',1,'8e0d5af3090eddac2580bda4885b350bd177f52a2edd1f2984f6217270365b65','1b3708311f6dfb93bd2818af6d9490925a36f95b9db331fdff497846ee10eca4');
INSERT INTO "audit_events" VALUES(8,'triage_step',2,'triage_events','1','{"state": {"content_sha256": "b06d2c19226c9fdc1c5cc3b685359f9b0bad20249c79292d1f9b085e6b881cb1"}}','2026-12-01 10:50:43.512013',1,'1b3708311f6dfb93bd2818af6d9490925a36f95b9db331fdff497846ee10eca4','fb7c0de1f46567342751c3ab123ba3562c372854c9de224aacf8be4cb50c583b');
INSERT INTO "audit_events" VALUES(9,'openid_linked',NULL,'openid_identities','1','{"state": {"account_id": 2, "issuer": "https://login.example", "subject": "grace", "created_at": "2026-12-01T10:50:43.521662+00:00", "removed_at": null}}','2026-12-01 10:50:43.539378',1,'fb7c0de1f46567342751c3ab123ba3562c372854c9de224aacf8be4cb50c583b','9309b40f015572f91fe1532f6a7596182e13ab24918a05cd3d2165dcfe047b78');
INSERT INTO "audit_events" VALUES(10,'second_factor_set',NULL,'second_factors','1','{"state": {"account_id": 1, "created_at": "2026-12-01T10:50:43.522865+00:00", "removed_at": null, "secret_sha256": "fdeb0b592bcca5f184b44b8b1846207dd1ab1aa76d109bad84772c9c94d0c2ea"}}','2026-12-01 10:50:43.540655',1,'9309b40f015572f91fe1532f6a7596182e13ab24918a05cd3d2165dcfe047b78','ab248dbc0e834ed11dc97020600cbb83f1844727000b76e6246d451a43239be9');
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
	created_at DATETIME NOT NULL, stack_key VARCHAR(64), 
	CONSTRAINT pk_cases PRIMARY KEY (id), 
	CONSTRAINT fk_cases_created_by_accounts FOREIGN KEY(created_by) REFERENCES accounts (id), 
	CONSTRAINT fk_cases_image_sha256_artifacts FOREIGN KEY(image_sha256) REFERENCES artifacts (sha256), 
	CONSTRAINT fk_cases_reference_mask_sha256_artifacts FOREIGN KEY(reference_mask_sha256) REFERENCES artifacts (sha256), 
	CONSTRAINT fk_cases_thumbnail_sha256_artifacts FOREIGN KEY(thumbnail_sha256) REFERENCES artifacts (sha256), 
	CONSTRAINT uq_cases_source_sha256 UNIQUE (source_sha256)
);
INSERT INTO "cases" VALUES(1,'0c6b861e4f1169ae0910995b9893e68d618df4b95f978a67ec832400247febc9','be4cd3763c77294cc59468f71890208e83c4f438713fac19e67fa801baac171e',NULL,'PNG',64,48,1,8,0.0,255.0,1.0,0.0,'CR',NULL,NULL,'{}','{}','[]','upload',1,NULL,NULL,'ready',NULL,'2026-12-01 10:50:43.380156','dddddddddddddddddddddddddddddddd');
CREATE TABLE drafts (
	account_id INTEGER NOT NULL, 
	prediction_id INTEGER NOT NULL, 
	content JSON NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_drafts PRIMARY KEY (account_id, prediction_id), 
	CONSTRAINT fk_drafts_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id), 
	CONSTRAINT fk_drafts_prediction_id_predictions FOREIGN KEY(prediction_id) REFERENCES predictions (id)
);
INSERT INTO "drafts" VALUES(1,1,'{"comment": "half a"}','2026-12-01 10:50:43.470649');
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
INSERT INTO "explanations" VALUES(1,'b7284392b734cffc558a553d1ce6bdcb2c695b5cd3e87e5c8235f065dca5893d',1,'integrated_gradients',1,'{"n_steps": 50, "baseline": "black"}','3ce0a70019d7cdd27693e7d7f059a4d9a6e4451af4b138e5fef349ee833807b1',32,32,0.01,0.01,'{"flat": false, "nan": false, "corner_share": 0.05, "border_share": 0.1, "agreement": null, "relative_delta": 0.01, "badge": "good", "reasons": []}',0.5,'cpu','{"torch": "2"}','2026-12-01 10:50:43.413714',NULL,0);
INSERT INTO "explanations" VALUES(2,'9ac775093ad61b0a87e4225ecad745170ef99dcdcf9d041d3e25218e29bf2d06',1,'occlusion',1,'{"n_steps": 50, "baseline": "black"}','67307aa4388f5504158f20e6ca9800f6ff360231d22cf1138803e99b2864be59',32,32,0.01,0.01,'{"flat": false, "nan": false, "corner_share": 0.05, "border_share": 0.1, "agreement": null, "relative_delta": 0.01, "badge": "good", "reasons": []}',0.5,'cpu','{"torch": "2"}','2026-12-01 10:50:43.421469','{"preset": "standard", "baseline": "black"}',1);
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
INSERT INTO "exports" VALUES(1,'1','{}','{"n": 1}',2,'2026-12-01 10:50:43.472252');
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
INSERT INTO "jobs" VALUES(1,'71de76e67ded19bc87c9076d51f0839b969bf2935f4f86d1b57f9016bde82807','explain','{}',1,'queued',0,0,0,'',NULL,0,NULL,NULL,0,NULL,'2026-12-01 10:50:43.423530',NULL,NULL,0);
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
INSERT INTO "models" VALUES(1,'sound','1','torchvision/squeezenet1_1','1422f40650df8d2865e11283d916efc5c65b36d23004fce60ef9653378c6f563','{"name": "sound", "version": "1", "classes": ["normal", "nodule", "effusion", "cardiomegaly"], "scores": "softmax"}',1,NULL,'2026-12-01 10:50:43.390932',NULL);
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
INSERT INTO "openid_identities" VALUES(1,2,'https://login.example','grace','2026-12-01 10:50:43.521662',NULL);
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
INSERT INTO "pending_sign_ins" VALUES('dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-12-01 10:50:43.522392','2026-12-01 10:50:43.512751',NULL);
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
INSERT INTO "predictions" VALUES(1,1,1,1,'nodule',0.9,'[0.05, 0.9, 0.03, 0.02]','{"x": 0.0, "y": 0.0, "width": 64, "height": 48}','{"torch": "2"}','2026-12-01 10:50:43.407202','nodule',0.9);
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
INSERT INTO "second_factors" VALUES(1,1,'sealed',5,'[]','2026-12-01 10:50:43.522865',NULL);
CREATE TABLE settings (
	"key" VARCHAR(64) NOT NULL, 
	value JSON NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_settings PRIMARY KEY ("key")
);
INSERT INTO "settings" VALUES('audit_chain_head','{"n_rows": 10, "row_sha256": "ab248dbc0e834ed11dc97020600cbb83f1844727000b76e6246d451a43239be9"}','2026-12-01 10:50:43.540655');
INSERT INTO "settings" VALUES('verdict_chain_head','{"n_rows": 3, "row_sha256": "20cba5b31eabdf32ab1cf82385e8fbc5c46263dfb7d5500b0afde7f9c0970007"}','2026-12-01 10:50:43.469925');
INSERT INTO "settings" VALUES('access_chain_head','{"n_rows": 2, "row_sha256": "9137a45702240a06f54cc7a17d7eea1fa14c6cc5ae73c27dd5764181144004bd"}','2026-12-01 10:50:43.547129');
CREATE TABLE sign_in_attempts (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	address VARCHAR(64) NOT NULL, 
	succeeded BOOLEAN NOT NULL, 
	attempted_at DATETIME NOT NULL, 
	CONSTRAINT pk_sign_in_attempts PRIMARY KEY (id)
);
INSERT INTO "sign_in_attempts" VALUES(1,'ada','127.0.0.1',1,'2026-12-01 10:50:43.472814');
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
INSERT INTO "sign_in_tokens" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1,'2026-12-01 10:50:43.486030','2026-12-01 10:50:43.470814','2026-12-01 10:50:43.470815',2,'127.0.0.1',NULL);
CREATE TABLE sources (
	id INTEGER NOT NULL, 
	case_id INTEGER NOT NULL, 
	source_sha256 VARCHAR(64) NOT NULL, 
	frame INTEGER NOT NULL, 
	n_frames INTEGER NOT NULL, 
	is_key BOOLEAN NOT NULL, 
	study_key VARCHAR(64), 
	series_key VARCHAR(64), 
	instance_key VARCHAR(64), 
	instance_number INTEGER, 
	position_mm DOUBLE, 
	orientation JSON NOT NULL, 
	spacing_mm JSON NOT NULL, 
	laterality VARCHAR(16), 
	view_position VARCHAR(16), 
	acquired_on VARCHAR(10), 
	image_sha256 VARCHAR(64), 
	shown JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_sources PRIMARY KEY (id), 
	CONSTRAINT fk_sources_case_id_cases FOREIGN KEY(case_id) REFERENCES cases (id), 
	CONSTRAINT fk_sources_image_sha256_artifacts FOREIGN KEY(image_sha256) REFERENCES artifacts (sha256), 
	CONSTRAINT uq_sources_instance_key_frame UNIQUE (instance_key, frame), 
	CONSTRAINT uq_sources_source_sha256_frame UNIQUE (source_sha256, frame)
);
INSERT INTO "sources" VALUES(1,1,'0c6b861e4f1169ae0910995b9893e68d618df4b95f978a67ec832400247febc9',0,1,1,'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee',NULL,'ffffffffffffffffffffffffffffffff',NULL,-2.5,'[1, 0, 0, 0, 1, 0]','[]',NULL,NULL,'2021-03-01',NULL,'{}','2026-12-01 10:50:43.487078');
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
INSERT INTO "text_events" VALUES(1,1,2,'masked','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','[[1, 2, 3, 4]]','["cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"]','2026-12-01 10:50:43.487824');
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
INSERT INTO "triage_events" VALUES(1,1,2,'close',NULL,'model_shortcut','','2026-12-01 10:50:43.497393');
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
INSERT INTO "triage_flags" VALUES(1,1,1,'rejected','no class given','2026-12-01 10:50:43.498456');
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
INSERT INTO "verdicts" VALUES(1,'request 12',1,1,1,'accept','[]',NULL,'{}','first – ünïcode','[]','explanation',5.0,'{}',NULL,'2026-12-01 10:50:43.440025','0000000000000000000000000000000000000000000000000000000000000000','e0973bec67d9344625b6b884f0b6966d1323eed8234694724beec24244d5d55d',3,'{}',NULL);
INSERT INTO "verdicts" VALUES(2,'request 13',1,1,1,'reject','["wrong_finding"]',NULL,'{}','','[]','explanation',5.0,'{}',1,'2026-12-01 10:50:43.457822','e0973bec67d9344625b6b884f0b6966d1323eed8234694724beec24244d5d55d','433edd5264b90d8d46f16a2f003e28e12d7fb56c880ea68b69507d2fde9e2f61',3,'{}',NULL);
INSERT INTO "verdicts" VALUES(3,'request 14',1,1,2,'accept','[]',NULL,'{}','','[{"x": 1.5, "y": 2}]','explanation',5.0,'{}',NULL,'2026-12-01 10:50:43.460683','433edd5264b90d8d46f16a2f003e28e12d7fb56c880ea68b69507d2fde9e2f61','20cba5b31eabdf32ab1cf82385e8fbc5c46263dfb7d5500b0afde7f9c0970007',3,'{}',NULL);
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
INSERT INTO "web_sessions" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',1,'2026-12-01 10:50:43.523406','2026-12-01 10:50:43.523408','2026-12-01 10:50:43.512672',NULL,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','127.0.0.1','Chromium on Linux',NULL);
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
CREATE UNIQUE INDEX ix_cases_stack_key ON cases (stack_key);
CREATE INDEX ix_sources_case_id ON sources (case_id);
CREATE INDEX ix_sources_series_key ON sources (series_key);
CREATE INDEX ix_sources_study_key_case_id ON sources (study_key, case_id);
COMMIT;
