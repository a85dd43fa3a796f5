-- Every file ends. S3 gives a role without s3:ListBucket the same answer for a missing object and for a forbidden one, so an object counts
-- as missing only when its form has expired. A missing object is never deleted: the fault may be ours, and the object may be there.

-- As before, and: is_announced (a member said that the file has come), is_expired (its form has; a form lives five minutes, and a form
-- that is signed again for the same row within ten minutes is covered), is_late (a day old: this try is the last one). A claim leaves the
-- state as it is, so that a later claim still knows whether a member said it.
create or replace function public.claim_file(p_tenant uuid, p_file uuid, p_seconds integer) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_file public.knowledge_files;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select * into v_file from public.knowledge_files f where f.tenant_id = p_tenant and f.id = p_file for update;
  if not found then
    return jsonb_build_object('state', 'absent');
  end if;
  if v_file.state <> 'waiting' and (v_file.state <> 'awaited' or v_file.created_at > now() - interval '1 hour') then
    return jsonb_build_object('state', 'done');
  end if;
  if v_file.claimed_until > now() then
    return jsonb_build_object('state', 'busy');
  end if;
  update public.knowledge_files f set fence = f.fence + 1, attempts = f.attempts + 1,
    claimed_until = now() + make_interval(secs => least(greatest(p_seconds, 1), 900))
    where f.tenant_id = p_tenant and f.id = p_file returning * into v_file;
  return jsonb_build_object('state', 'claimed', 'fence', v_file.fence, 'attempts', v_file.attempts, 'name', v_file.name, 'media_type', v_file.media_type,
    'bytes', v_file.bytes, 'object_key', v_file.object_key, 'budget', private.budget_facts(p_tenant),
    'is_announced', v_file.state = 'waiting', 'is_expired', v_file.created_at < now() - interval '15 minutes',
    'is_late', v_file.created_at < now() - interval '24 hours');
end $$;

-- As before, but: "waiting" gives a file back in the state that it had, and the object of a file that is "missing" or "given_up" stays
-- until a member removes the file.
create or replace function public.settle_file(p_tenant uuid, p_file uuid, p_fence bigint, p_state text, p_reason text, p_sha256 text,
  p_bytes integer, p_withheld integer, p_chunks jsonb) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_file public.knowledge_files;
  v_gone jsonb := '[]';
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select * into v_file from public.knowledge_files f where f.tenant_id = p_tenant and f.id = p_file
    and f.fence = p_fence and f.state in ('awaited', 'waiting') and f.claimed_until is not null for update;
  if not found then
    raise exception 'claim lost' using errcode = 'P0001';
  end if;
  if p_state = 'ready' then
    with gone as (
      delete from public.knowledge_files f where f.tenant_id = p_tenant and f.name = v_file.name and f.state = 'ready'
        and f.id <> p_file returning f.object_key
    )
    select coalesce(jsonb_agg(g.object_key), '[]') into v_gone from gone g;
    insert into public.knowledge_chunks (tenant_id, file_id, position, body, embedding)
      select p_tenant, p_file, c.place - 1, c.chunk ->> 'body', (c.chunk ->> 'embedding')::extensions.vector
      from jsonb_array_elements(p_chunks) with ordinality as c (chunk, place);
  elsif p_state = 'refused' and p_reason not in ('missing', 'given_up') then
    v_gone := jsonb_build_array(v_file.object_key);
  end if;
  update public.knowledge_files f set state = case p_state when 'waiting' then f.state else p_state end, reason = p_reason,
      sha256 = coalesce(p_sha256, f.sha256), bytes = coalesce(p_bytes, f.bytes), withheld = p_withheld, claimed_until = null,
      attempts = f.attempts - 1
    where f.tenant_id = p_tenant and f.id = p_file;
  return v_gone;
end $$;

-- As before, and is_expired: the form of what goes out has (as of a file, above).
create or replace function public.claim_media(p_tenant uuid, p_media uuid, p_seconds integer) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_media public.media;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select * into v_media from public.media d where d.tenant_id = p_tenant and d.id = p_media for update;
  if not found then
    return jsonb_build_object('state', 'absent');
  end if;
  if v_media.state <> 'waiting' and (v_media.state <> 'awaited' or v_media.created_at > now() - interval '1 hour') then
    return jsonb_build_object('state', 'done');
  end if;
  if v_media.claimed_until > now() then
    return jsonb_build_object('state', 'busy');
  end if;
  update public.media d set fence = d.fence + 1, attempts = d.attempts + 1,
    claimed_until = now() + make_interval(secs => least(greatest(p_seconds, 1), 900))
    where d.tenant_id = p_tenant and d.id = p_media returning * into v_media;
  return (select jsonb_build_object('state', 'claimed', 'fence', v_media.fence, 'attempts', v_media.attempts,
      'kind', v_media.kind, 'goes_out', m.author <> 'contact', 'media_type', v_media.media_type, 'bytes', v_media.bytes,
      'is_late', v_media.state = 'awaited' or v_media.created_at < now() - interval '24 hours',
      'is_expired', v_media.created_at < now() - interval '15 minutes',
      'channel_row', v.channel_id, 'contact', v.contact_id, 'budget', private.budget_facts(p_tenant),
      'reference', (select f.reference from public.inbox b cross join private.media_of(b.item) f
        where b.tenant_id = p_tenant and b.id = m.inbox_id and f.place = v_media.place))
    from public.messages m join public.conversations v on v.tenant_id = p_tenant and v.id = m.conversation_id
    where m.tenant_id = p_tenant and m.id = v_media.message_id);
end $$;
