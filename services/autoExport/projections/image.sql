-- key: digest
create table image_history (
  digest text not null,
  owner text not null,
  size_bytes numeric(78,0) not null,
  chunk_root text not null,
  reference text not null,
  valid_from bigint not null,
  valid_to bigint,
  primary key (digest, valid_from)
);

-- on ImageRegistered
select digest, block_number, log_index, jsonb_build_object(
  'owner', owner, 'size_bytes', size_bytes, 'chunk_root', chunk_root, 'reference', ref) as patch
from event
